"""The tools of the tests are tested too: the lab, and the guest."""
