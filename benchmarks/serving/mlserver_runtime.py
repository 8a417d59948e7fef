"""MLServer with our decider: each request is one string of JSON in the Open Inference Protocol."""

from __future__ import annotations

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from ours import batches, job, text


class Scoring(MLModel):
    """One model in the server's own process."""

    async def load(self) -> bool:
        """Load the model."""
        self.batches = batches()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Decide the jobs of a request, or of the requests that MLServer merged."""
        jobs = [job(body.encode()) for body in StringCodec.decode_input(payload.inputs[0])]
        answers = [text(answer).decode() for answer in self.batches.answer(jobs)]
        output = StringCodec.encode_output("decisions", answers)
        return InferenceResponse(model_name=self.name, outputs=[output])
