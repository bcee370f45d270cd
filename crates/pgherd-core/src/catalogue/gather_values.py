#!/usr/bin/env python3
"""Writes parameter_values.csv from a running server: gather_values.py BIN_DIR > parameter_values.csv

What a real server makes of spellings: `setting` after set_config where a session may set it, else whether ALTER SYSTEM takes it
(`ok`), else `error`. Run as an unprivileged user.
"""
import csv, os, subprocess, sys, tempfile

NUMBERS = """0 1 -1 +7 10 010 0x10 0X1F 09 1e3 1E3 1.5 2.5 .5 5. 0.4 -0.4 -0.6 1e 1e+ e3 12abc 12.5.1 2147483647 2147483648
99999999999999999999 1e400 inf nan infinity 256MB 256mb 256Mb 1GB 1.5GB 30.1GB 0.3MB 1kB 1KB 1B 1024B 8192B 1TB 2TB 4096TB 1ms
1us 1500us 2500us 1s 1.5s 1min 1h 1d 1day 90min 30.5min 0.5h 5MB5 MB 0.0001TB 100000kB 3.7 -5MB 0x1e 0x 1_000 1,5""".split()
NUMBERS += ["256 MB", "256\tMB", "256MB ", " 256MB", "500 ms", "5 s x", "5 M B", ""]
WORDS = """on off true false yes no 1 0 t f y n ON True oF o of onn tr truE fal ye 2 enabled local remote_apply REMOTE_WRITE pglz lz4 zstd
debug debug2 info log always minimal archive hot_standby replica logical regress auto partition try md5 scram-sha-256 none ddl all
TLSv1.2 tlsv1.3 safe_encoding fsync worker receipt""".split()
WORDS += ["receipt, all", " on", ""]
QUERY = {
    "work_mem": NUMBERS, "log_min_duration_statement": NUMBERS, "effective_cache_size": NUMBERS, "seq_page_cost": NUMBERS,
    "vacuum_cost_delay": NUMBERS, "default_statistics_target": NUMBERS, "log_rotation_age": NUMBERS, "max_connections": NUMBERS,
    "min_wal_size": NUMBERS, "shared_buffers": NUMBERS, "checkpoint_timeout": NUMBERS, "track_activity_query_size": NUMBERS,
    "enable_seqscan": WORDS, "synchronous_commit": WORDS, "wal_compression": WORDS, "client_min_messages": WORDS,
    "log_min_messages": WORDS, "archive_mode": WORDS, "wal_level": WORDS, "debug_parallel_query": WORDS,
    "force_parallel_mode": WORDS, "compute_query_id": WORDS, "constraint_exclusion": WORDS, "huge_pages": WORDS,
    "recovery_prefetch": WORDS, "password_encryption": WORDS, "log_statement": WORDS, "ssl_min_protocol_version": WORDS,
    "backslash_quote": WORDS, "auto_explain.log_level": WORDS, "log_connections": WORDS, "icu_validation_level": WORDS,
}


def main(bin_dir):
    env = dict(os.environ, LD_LIBRARY_PATH=os.path.join(bin_dir, "..", "lib"), LC_ALL="C", TZ="UTC")
    tool = lambda name: os.path.join(bin_dir, name)
    run = lambda *words: subprocess.run(words, env=env, capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        run(tool("initdb"), "-D", data, "-U", "postgres", "-A", "trust")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c shared_preload_libraries=auto_explain"
        subprocess.run([tool("pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start"], env=env, check=True,
                       stdout=subprocess.DEVNULL)
        ask = lambda query: run(tool("psql"), "-h", folder, "-U", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", query)
        try:
            version = ask("SHOW server_version").stdout.split()[0]
            print(f"# What PostgreSQL {version} makes of spellings of values, as of 2026-11-21; written by gather_values.py.")
            out = csv.writer(sys.stdout, lineterminator="\n")
            out.writerow("name text setting".split())
            for name, words in QUERY.items():
                row = ask(f"SELECT context FROM pg_settings WHERE name = '{name}'").stdout.strip()
                for text in words if row else []:
                    quoted = "'" + text.replace("'", "''") + "'"
                    if row in ("user", "superuser"):
                        seen = ask(f"BEGIN; SET LOCAL {name} = {quoted}; SELECT setting FROM pg_settings WHERE name = '{name}'")
                        out.writerow([name, text, seen.stdout.strip() if seen.returncode == 0 else "error"])
                    else:
                        seen = ask(f"ALTER SYSTEM SET {name} = {quoted}")
                        out.writerow([name, text, "ok" if seen.returncode == 0 else "error"])
        finally:
            run(tool("pg_ctl"), "-D", data, "-m", "immediate", "stop")


main(sys.argv[1])
