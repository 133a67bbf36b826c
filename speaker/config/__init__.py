"""vip.toml: read, validated, built, and rendered. Others need `find`, `load`, `read` and the values."""

from speaker.config.load import DEFAULT_PATH, ConfigError, File, find, load, read
from speaker.config.settings import Config, Settings

__all__ = ["DEFAULT_PATH", "Config", "ConfigError", "File", "Settings", "find", "load", "read"]
