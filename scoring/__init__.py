"""Credit scoring of consumer loan applications."""

__version__ = "0.9.0"
