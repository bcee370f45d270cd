"""A Flask application that finds its database the way the requirements describe: through DB_SECRET_ARN.

Run it against a database that pgherd brought up:

    eval "$(pgherd env -f examples/dev.hcl)"
    flask --app examples/flask/app run
"""

import json
import os

from flask import Flask, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, text


def get_db_credentials():
    """The secret as JSON: username, password, host, port, dbname."""
    arn = os.environ["DB_SECRET_ARN"]
    if not arn.startswith("arn:"):  # on this machine the secret is a file
        with open(arn, encoding="utf-8") as secret:
            return json.load(secret)
    import boto3

    client = boto3.client("secretsmanager")
    return json.loads(client.get_secret_value(SecretId=arn)["SecretString"])


def create_database_url():
    creds = get_db_credentials()
    query = {"sslmode": os.environ.get("DB_SSLMODE", "verify-full")}
    if "PGSSLROOTCERT" in os.environ:
        query["sslrootcert"] = os.environ["PGSSLROOTCERT"]
    return URL.create(
        "postgresql+psycopg",
        username=creds["username"],
        password=creds["password"],
        host=creds["host"],
        port=creds["port"],
        database=creds["dbname"],
        query=query,
    )


app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = create_database_url()
# A database that fails over or restarts drops its connections: try each one before use.
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {"pool_pre_ping": True}
db = SQLAlchemy(app)


class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    body = db.Column(db.Text, nullable=False)


with app.app_context():
    db.create_all()


@app.get("/health")
def health():
    row = db.session.execute(
        text(
            "SELECT current_setting('server_version_num')::int / 10000 AS major, current_user AS role,"
            " (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS tls"
        )
    ).one()
    return jsonify(major=row.major, role=row.role, tls=row.tls)


@app.get("/notes")
def list_notes():
    return jsonify([{"id": note.id, "body": note.body} for note in Note.query.order_by(Note.id)])


@app.post("/notes")
def add_note():
    note = Note(body=request.get_json()["body"])
    db.session.add(note)
    db.session.commit()
    return jsonify(id=note.id, body=note.body), 201
