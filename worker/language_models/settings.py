"""Which hosted model to ask, if any."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Engine = Literal["extractive", "gemini", "vertex", "openai", "anthropic"]

#: Longest time that one question may take, all tries included: two of them, asked and asked again, stay within the 15
#: minutes for which a job may stand still.
QUESTION_SECONDS = 400.0


class LanguageModelSettings(BaseModel):
    """How to reach a hosted model. ``extractive`` is none: nothing is opened and nothing leaves the project."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Engine = "extractive"
    model: str = ""  #: as the service names it
    key: str | None = Field(None, repr=False)  #: of the service; Vertex AI takes the VM's own credentials instead
    endpoint: str | None = Field(None, pattern=r"^https?://[^\s?#]+$")  #: base URL; None is the service's own
    project: str | None = None  #: Vertex AI only
    region: str | None = None  #: Vertex AI only
    timeout_seconds: float = Field(120, gt=0, le=300)  #: for one try
    retries: int = Field(2, ge=0, le=5)  #: after the first try, of what may pass by itself
    retry_seconds: float = Field(1, gt=0, le=60)  #: before the first retry where the service does not say
    max_output_tokens: int = Field(16_000, ge=256)  #: of one answer, the model's thoughts included
    window_tokens: int = Field(100_000, ge=4_000)  #: of prompt and answer together

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.engine == "extractive":
            return self
        if not self.model:
            raise ValueError(f"the engine {self.engine} needs the name of a model")
        if self.engine == "vertex":
            if self.key is not None:
                raise ValueError("Vertex AI takes the VM's own credentials, no key")
            if not self.project or not self.region:
                raise ValueError("Vertex AI needs a project and a region")
        elif not self.key:
            raise ValueError(f"the engine {self.engine} needs a key")
        if self.total_seconds > QUESTION_SECONDS:
            raise ValueError(f"(retries + 1) * timeout_seconds must not be above {QUESTION_SECONDS:g}")
        if 2 * self.max_output_tokens > self.window_tokens:
            raise ValueError(
                "the answer may take half of the window at most: raise window_tokens or lower max_output_tokens"
            )
        return self

    @property
    def total_seconds(self) -> float:
        """Longest time that one question takes, all tries and the waits between them."""
        return (self.retries + 1) * self.timeout_seconds
