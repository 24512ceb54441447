"""What CloudWatch Logs answers where a request cannot be done, nearly always with status 400."""

from __future__ import annotations

from pilotlight_gateway import errors
from pilotlight_gateway.errors import ApiError

__all__ = [
    "AlreadyExistsError",
    "InvalidParameterError",
    "LimitExceededError",
    "NotFoundError",
    "in_words_of_logs",
]


class NotFoundError(ApiError):
    """No such group, stream or filter."""

    type, status = "ResourceNotFoundException", 400


class AlreadyExistsError(ApiError):
    """The group is there already."""

    type, status = "ResourceAlreadyExistsException", 400


class InvalidParameterError(ApiError):
    """A parameter breaks a constraint or a rule."""

    type, status = "InvalidParameterException", 400


class LimitExceededError(ApiError):
    """There are as many already as there may be."""

    type, status = "LimitExceededException", 400


class OperationAbortedError(ApiError):
    """Others change the same at the same time."""

    type, status = "OperationAbortedException", 400


_SAID: dict[type[ApiError], type[ApiError]] = {
    errors.ValidationError: InvalidParameterError,
    errors.InvalidParameterValueError: InvalidParameterError,
    errors.ResourceConflictError: OperationAbortedError,
    errors.FunctionNotFoundError: NotFoundError,
}


def in_words_of_logs(error: ApiError) -> ApiError:
    """Say what the gateway's other parts raise as this service does."""
    for kind, said in _SAID.items():
        if isinstance(error, kind):
            return said(error.message)
    return error
