"""LitServe with our decider; BENCH_BATCH requests in a batch, 1 for none."""

import json
import os
from typing import Any

import litserve
from ours import batches, job, text

BATCH = int(os.environ.get("BENCH_BATCH", "1"))


class Scoring(litserve.LitAPI):
    """One worker, as every peer has."""

    def setup(self, _: str) -> None:
        """Load the model in the worker."""
        self.batches = batches()

    # LitServe takes an annotation for a query parameter.
    def decode_request(self, request):  # type: ignore[no-untyped-def]
        """Check the request; LitServe has parsed its JSON."""
        return job(json.dumps(request).encode())

    def batch(self, inputs: list[Any]) -> list[Any]:
        """Keep the jobs as they are."""
        return inputs

    def unbatch(self, output: list[bytes]) -> list[bytes]:
        """Give each request its answer."""
        return output

    def predict(self, x: Any) -> Any:
        """Decide one job, or a batch of them."""
        if BATCH == 1:
            return text(self.batches.answer([x])[0])
        return [text(answer) for answer in self.batches.answer(x)]

    def encode_response(self, output: bytes) -> Any:
        """Return JSON values, which LitServe writes."""
        return json.loads(output)


if __name__ == "__main__":
    api = Scoring(max_batch_size=BATCH, batch_timeout=0.005 if BATCH > 1 else 0.0, api_path="/score")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
