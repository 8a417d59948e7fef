"""What the service and its clients share of HTTP."""

ARROW = "application/vnd.apache.arrow.stream"
"""Media type of a table of applications, and of the decisions on it."""
