"""Whether the model hub gives a model, found out within seconds: its own client tries on for minutes."""

from __future__ import annotations

import os
import threading
import time

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

from .failures import reason

PATIENCE = 3.0  # seconds, where nobody has chosen more
_CHOSEN = "HF_HUB_ETAG_TIMEOUT"  # the environment variable by which the client is told how long to wait
_MOST = 256  # answers that are kept
_HOLDS = 60.0  # seconds for which an answer is taken for granted; one command asks several times

_answers: dict[tuple[str, str | None], tuple[float, OSError | None]] = {}


def problem(model: str, revision: str | None = None, patience: float | None = None) -> OSError | None:
    """Why the hub does not give a model; None: it does. What the cache holds is no matter of this.

    Args:
        model: a hub id, owner/name.
        revision: a commit, branch or tag; None takes the newest.
        patience: seconds to wait for the hub; None takes what HF_HUB_ETAG_TIMEOUT says, or 3.
    """
    if constants.HF_HUB_OFFLINE:
        return OSError("HF_HUB_OFFLINE is set, and the cache does not hold it")
    asked, answer = _answers.get((model, revision), (-_HOLDS, None))
    if time.monotonic() - asked < _HOLDS:
        return answer
    if patience is None:
        patience = float(constants.HF_HUB_ETAG_TIMEOUT) if _CHOSEN in os.environ else PATIENCE
    answer = _ask(model, revision, patience)
    if len(_answers) > _MOST:
        _answers.clear()
    _answers[model, revision] = time.monotonic(), answer
    return answer


def _ask(model: str, revision: str | None, patience: float) -> OSError | None:
    """In a thread, for the look-up of a host's name knows no limit of time."""
    given: list[OSError | None] = []
    asking = threading.Thread(target=lambda: given.append(_answer(model, revision, patience)), daemon=True)
    asking.start()
    asking.join(patience)
    if given:
        return given[0]
    return OSError(
        f"{constants.ENDPOINT} does not answer within {patience:g} seconds; {_CHOSEN}=30 waits longer"
    )


def _answer(model: str, revision: str | None, patience: float) -> OSError | None:
    try:
        HfApi().model_info(model, revision=revision, timeout=patience)
    except RevisionNotFoundError:
        return OSError(f"it has no revision {revision!r}")
    except RepositoryNotFoundError:
        return OSError("it has no such model, or a private one, for which HF_TOKEN must be set")
    except HFValidationError as error:
        return OSError(reason(error))
    except Exception as error:  # of the network, by whichever library
        return OSError(f"{constants.ENDPOINT} cannot be reached: {reason(error)}")
    return None
