"""vip.toml: read, validated, built, and rendered. Others need `find`, `load`, `read` and the values."""

from speaker.config.load import ConfigError, File, load, read, resolver_in, sockets_in
from speaker.config.settings import Config, ConfigFile, Settings
from speaker.files.vip_toml import DEFAULT_PATH, MAX_SIZE, digest, find

__all__ = [
    "DEFAULT_PATH",
    "MAX_SIZE",
    "Config",
    "ConfigError",
    "ConfigFile",
    "File",
    "Settings",
    "digest",
    "find",
    "load",
    "read",
    "resolver_in",
    "sockets_in",
]
