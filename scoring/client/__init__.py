"""A typed client of the service: a few applications at a time, or files of any size.

    python -m scoring.client score applications.csv --out decisions.csv

From Python: `Client` asks for decisions and explanations, `score_file` is what the command line does.
"""

from scoring.client.batch import JobError, Summary, score_file
from scoring.client.errors import Refused, ServiceError
from scoring.client.files import FileError
from scoring.client.http import CHUNK, URL, Client

__all__ = [
    "CHUNK",
    "URL",
    "Client",
    "FileError",
    "JobError",
    "Refused",
    "ServiceError",
    "Summary",
    "score_file",
]
