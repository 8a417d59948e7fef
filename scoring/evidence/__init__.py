"""The evidence about a model: its costs, whom it treats how, how steady it is, whether its reasons hold."""
