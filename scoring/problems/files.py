"""Why a file cannot be read, by code: each sentence names the file, the place and the remedy."""

from __future__ import annotations

from collections.abc import Mapping

from scoring.language import Text, texts

FILES: Mapping[str, Text] = texts(
    "file",
    {
        # Places in a file, inside other sentences.
        "at_line": "line {line}",
        "at_row": "row {row}",
        # The file as such.
        "missing": "{file} does not exist; give the Kaggle folder or the Kaggle zip.",
        "not_a_zip": "{file} is neither a folder nor a readable zip; "
        "give the Kaggle folder or the Kaggle zip, downloaded to its end.",
        "unknown_suffix": "{file} is neither CSV nor Parquet nor a workbook: its name ends in none of "
        "{suffixes}, alone or with .gz or .zip behind; name it as what it is (text with separators: .csv).",
        "empty": "{file} is empty; copy or download it again.",
        "too_long": "{file} holds {records} rows, and {most} are taken here; send it in parts.",
        "unreadable": "{file} cannot be read: it is damaged, cut off, or not what its name says; "
        "copy or download it again.",
        "damaged": "{file} is damaged; download it again.",
        "locked": "{file} is locked with a password; unpack it first, or send it without one.",
        "archive_in_archive": "{file} holds an archive in an archive; unpack it first.",
        "not_one_inside": "{file} holds {files} files; a zip of applications holds one, "
        "that of a portfolio its tables under their names.",
        "name_twice_inside": "{file} holds a file twice under the same name (file {number}); "
        "keep one of them.",
        "too_large": "{file} is too large when it is unpacked; send it in parts, or unpack it yourself.",
        "other_content": "{file} is CSV by its name, and {kind} by its content; "
        "give it the name that it needs.",
        "not_a_text": "{file} is no text: it is neither UTF-8, UTF-16 nor Windows-1252; "
        "export it again as CSV.",
        "not_a_workbook": "{file} cannot be read as a workbook; save it again, without a password.",
        "formulas": "{file} has formulas without their values; open it in a spreadsheet, and save it.",
        "many_sheets": "{file} has {sheets} sheets with a table; keep the one to read.",
        "no_application": "{file} has no application; copy or download it again.",
        "records_lost": "{file} has {records} records, and {read} were read; report this.",
        "lines_lost": "{file} has {records} records behind line {line}, and {read} were read; report this.",
        # Its columns.
        "too_many_columns": "{file} has {columns} columns; at most {most} are read.",
        "other_columns": "{file}: {part} has other columns than the parts before; write it again.",
        "no_column": "{file} has no column '{name}'; "
        "expected the columns of the Kaggle file and of the extension, if any, in a header line.",
        "misspelt_column": "{file} has no column '{name}' (it has '{close}'); "
        "expected the columns of the Kaggle file and of the extension, if any, in a header line.",
        "repeated_column": "{file} has its column '{name}' (number {column}) more than once; "
        "keep one of them.",
        "repeated_unknown_column": "{file} has its column (number {column}) more than once; "
        "keep one of them.",
        "column_type": "{file}, column '{name}': values of the type {type}; write numbers or texts.",
        "nested_column": "{file}, column '{name}': nested values; write numbers or texts.",
        "bytes_in_column": "{file}, column '{name}': bytes that are no UTF-8; write them as texts in UTF-8.",
        "nameless_column": "{file}: column {column} has values and no name; "
        "name it in the header, or remove it.",
        "nameless_value": "{file}, line {line}: a value in column {column}, which has no name; "
        "name it in the header, or remove it.",
        # Its lines.
        "unknown_separator": "{file}, line {line}: the separator that sep= names is none of "
        "comma, semicolon, | and tab.",
        "two_separators": "{file}: the header can be read with {one} or with {other} between its columns; "
        "write it with one of them.",
        "header_quote": "{file}, line {line}: a quotation mark of the header has no pair; correct it.",
        "long_line": "{file}, line {line}: longer than {bytes} bytes; a table has one line per record.",
        "unknown_encoding": "{file}, line {line}: neither UTF-8 nor Windows-1252; "
        "export the file again as UTF-8.",
        "many_broken_lines": "{file}: more than {most} lines are no record of {width} fields, "
        "line {line} first; export it again.",
        "blank_lines": "{file}: more than {most} blank lines; export it again without them.",
        "broken_line": "{file}, {fault}.",
        "broken_lines": "{file}, {fault} ({lines} such lines in all).",
        # Its values.
        "wrong_value": "{file}, column '{name}', {place}: {fault}; "
        "correct it, or leave it empty if it is missing.",
        "no_value": "{file}, column '{name}', {place}: no value; every application needs it.",
        "wrong_label": "{file}, column '{name}', {place}: neither 0 (repaid) nor 1 (default); "
        "correct the label.",
        "repeated_number": "{file}, column '{name}', {place}: its number stands {times} times, "
        "next in {next} ({others} such numbers); keep one line per application.",
        "shared_value": "{file}, column '{name}': {lines} lines share their value; keep one per credit.",
        # The files of a portfolio.
        "missing_table": "{file} has no {table}.csv or {table}.parquet; "
        "give the Kaggle folder or zip with all its files.",
        "two_forms": "{file} holds {table} in more than one form; keep one of CSV, Parquet and parts.",
        "twice_in_zip": "{file} holds {names}; keep one of them.",
        "no_part": "{file} has no part *.parquet; write them, or remove the folder.",
        "nearly_a_table": "{file} holds '{name}', which seems to be {table}: "
        "name it {table}.csv or {table}.parquet, or remove it.",
    },
)
