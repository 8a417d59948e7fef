# MLflow's server, with what speaks to PostgreSQL and to S3: `make mlflow-image`. Clients need neither: the server hands
# artifacts on. DATABASE, MLFLOW_S3_ENDPOINT_URL and the keys of S3 come from the environment.
ARG PYTHON=python:3.11-slim
FROM ${PYTHON}
RUN command -v uv >/dev/null || pip install -q --no-cache-dir uv==0.13.8
COPY deploy/mlflow.txt /tmp/
RUN uv venv -q /app && UV_SYSTEM_CERTS=true uv pip install -q --python /app/bin/python --no-cache --compile-bytecode \
    --require-hashes -r /tmp/mlflow.txt && rm /tmp/mlflow.txt
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 MLFLOW_DISABLE_TELEMETRY=true BUCKET=mlflow
USER 1034:1034
WORKDIR /tmp
EXPOSE 5000
LABEL org.opencontainers.image.title="credit-scoring-mlflow" org.opencontainers.image.licenses="Apache-2.0"
CMD ["sh", "-c", "python -c 'import boto3, os; s = boto3.client(\"s3\", endpoint_url=os.environ.get(\"MLFLOW_S3_ENDPOINT_URL\")); b = os.environ[\"BUCKET\"]; b in [x[\"Name\"] for x in s.list_buckets()[\"Buckets\"]] or s.create_bucket(Bucket=b)' && exec mlflow server --host 0.0.0.0 --port 5000 --backend-store-uri \"$DATABASE\" --artifacts-destination \"s3://$BUCKET\" --allowed-hosts '*'"]
