"""How each family is fitted on an encoded matrix: a file each, which ends with the candidate as declared.

The one room that knows the libraries that learn. Those that only some comparisons need are imported where
they are used: each takes a second or more.
"""
