"""What this software calls itself."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("wattest")
except PackageNotFoundError:  # run from a checkout that is not installed
    VERSION = "checkout"
