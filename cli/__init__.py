"""The `wattest` command."""
