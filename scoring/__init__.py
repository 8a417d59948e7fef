"""Credit scoring of consumer loan applications."""
