# The programs beside the service: the page, the monitor, the batch client. `make programs-image` builds it from the
# repository's root; SERVICE is the image whose model the monitor compares decisions with.
ARG SERVICE=credit-scoring:latest
ARG PYTHON=python:3.11-slim
FROM ${SERVICE} AS service

FROM ${PYTHON} AS builder
WORKDIR /build
RUN command -v uv >/dev/null || pip install -q --no-cache-dir uv==0.13.8
COPY pyproject.toml requirements.txt ./
COPY deploy/group.py deploy/
RUN uv venv -q /app/.venv && for group in page monitor; do python3 deploy/group.py $group >$group.txt \
    && UV_SYSTEM_CERTS=true uv pip install -q --python /app/.venv/bin/python --no-cache --compile-bytecode --require-hashes \
        -r $group.txt; done

FROM ${PYTHON}
COPY --from=builder /app/.venv /app/.venv
COPY scoring /app/scoring
COPY ui /app/ui
COPY monitoring /app/monitoring
COPY --from=service /home/bentoml/bento/models /app/store/models
COPY --from=service /home/bentoml/bento/src/scoring/engine /app/scoring/engine
ENV PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 LANG=C.UTF-8 \
    HOME=/tmp TMPDIR=/tmp GRADIO_ANALYTICS_ENABLED=False DO_NOT_TRACK=1 BENTOML_DO_NOT_TRACK=True \
    BENTOML_HOME=/app/store CREDIT_SCORING_LOG=/state/log CREDIT_SCORING_KEY_FILE=/state/pseudonym.key
WORKDIR /app
RUN mkdir -p /reports /state && chown 1034:1034 /reports /state
USER 1034:1034
STOPSIGNAL SIGTERM
LABEL org.opencontainers.image.title="credit-scoring-programs" org.opencontainers.image.licenses="Apache-2.0"
ENTRYPOINT ["python", "-m"]
CMD ["ui", "--help"]
