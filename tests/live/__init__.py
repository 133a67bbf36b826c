"""The whole product under real ExaBGPs: what the far peer has decides."""
