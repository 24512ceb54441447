"""Lambda's errors, as clients see them: type, status, body and headers (lambda.md 1.1).

Operations raise these; `translate` turns core's errors into them; `responses` writes
them. Nothing else in the gateway builds an error response.
"""

from __future__ import annotations

from typing import ClassVar

from pilotlight import errors as core

__all__ = [
    "AccessDeniedError",
    "ApiError",
    "CodeSigningConfigNotFoundError",
    "CodeVerificationFailedError",
    "ExpiredTokenError",
    "FileSystemIOError",
    "FileSystemMountError",
    "FileSystemTimeoutError",
    "FunctionNotFoundError",
    "HeadersTooLargeError",
    "IncompleteSignatureError",
    "InvalidParameterValueError",
    "InvalidRequestContentError",
    "InvalidSecurityGroupError",
    "InvalidSignatureError",
    "InvalidSubnetError",
    "MissingTokenError",
    "NotSupportedError",
    "PolicyLengthExceededError",
    "PreconditionFailedError",
    "ProvisionedConcurrencyNotFoundError",
    "RecursiveInvocationError",
    "RequestEntityTooLargeError",
    "RequestTimeoutError",
    "RequestTooLargeError",
    "ResourceConflictError",
    "ResourceNotReadyError",
    "SerializationError",
    "ServiceError",
    "ServiceUnavailableError",
    "TooLarge",
    "TooManyRequestsError",
    "UnknownOperationError",
    "UnrecognizedClientError",
    "UnsupportedMediaTypeError",
    "UriTooLongError",
    "ValidationError",
    "translate",
]


class ApiError(Exception):
    """An error response; `members` are further fields of its body."""

    type: ClassVar[str] = "ServiceException"
    status: ClassVar[int] = 500
    fault: ClassVar[str] = "User"
    """Whose fault it is, in the body's `Type`; empty where Lambda's body has none."""
    message_key: ClassVar[str] = "message"

    def __init__(
        self,
        message: str,
        *,
        headers: dict[str, str] | None = None,
        members: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.members = members or {}

    def body(self) -> dict[str, str]:
        """Return the response's body; the key of the message differs from error to error."""
        of_model = {"Type": self.fault} if self.fault else {}
        return of_model | {self.message_key: self.message} | self.members


class FrontDoorError(ApiError):
    """What stands before each of AWS's services refuses a request: its body has no `Type`."""

    fault = ""


class ValidationError(FrontDoorError):
    """A field breaks a constraint of the API's model."""

    type, status = "ValidationException", 400


class InvalidParameterValueError(ApiError):
    """A field breaks a rule of the service."""

    type, status = "InvalidParameterValueException", 400


class InvalidRequestContentError(ApiError):
    """The body is not JSON."""

    type, status = "InvalidRequestContentException", 400


class SerializationError(FrontDoorError):
    """The body of a management call cannot be read."""

    type, status = "SerializationException", 400


class FunctionNotFoundError(ApiError):
    """No such function, qualifier or other resource."""

    type, status = "ResourceNotFoundException", 404
    message_key = "Message"


class ProvisionedConcurrencyNotFoundError(ApiError):
    """The version or alias asks for no provisioned concurrency."""

    type, status = "ProvisionedConcurrencyConfigNotFoundException", 404


class CodeSigningConfigNotFoundError(ApiError):
    """No code signing configuration has this ARN."""

    type, status = "CodeSigningConfigNotFoundException", 404
    message_key = "Message"


class CodeVerificationFailedError(ApiError):
    """The code carries no signature that its function's configuration trusts."""

    type, status = "CodeVerificationFailedException", 400
    message_key = "Message"


class ResourceConflictError(ApiError):
    """The resource is there already, or is being changed."""

    type, status = "ResourceConflictException", 409


class PreconditionFailedError(ApiError):
    """The RevisionId is not the latest."""

    type, status = "PreconditionFailedException", 412


class PolicyLengthExceededError(ApiError):
    """The policy is larger than one may be."""

    type, status = "PolicyLengthExceededException", 400


class RecursiveInvocationError(ApiError):
    """Functions call each other in a circle."""

    type, status = "RecursiveInvocationException", 400
    message_key = "Message"


class RequestTooLargeError(ApiError):
    """The event is larger than an invocation may carry."""

    type, status = "RequestTooLargeException", 413

    @classmethod
    def of(cls, length: int, limit: int) -> RequestTooLargeError:
        """Say how large an event is that came for an answer."""
        return cls(
            f"{length} byte payload is too large for the RequestResponse invocation type "
            f"(limit {limit} bytes)"
        )


class RequestEntityTooLargeError(FrontDoorError):
    """The body of a management call is too large."""

    type, status = "RequestEntityTooLargeException", 413

    @classmethod
    def of(cls, length: int, limit: int) -> RequestEntityTooLargeError:
        """Say how large a body is."""
        return cls(f"Request must be smaller than {limit} bytes, {length} bytes came")


TooLarge = type[RequestTooLargeError] | type[RequestEntityTooLargeError]
"""What is raised for a body that is larger than it may be."""


class UriTooLongError(FrontDoorError):
    """The request target is longer than is read."""

    type, status = "RequestUriTooLongException", 414


class HeadersTooLargeError(FrontDoorError):
    """A header, or all of them, are longer or more than are read."""

    type, status = "RequestHeaderFieldsTooLargeException", 431


class UnsupportedMediaTypeError(FrontDoorError):
    """The body's encoding is not one that is decoded."""

    type, status = "UnsupportedMediaTypeException", 415


class RequestTimeoutError(FrontDoorError):
    """The client sent its request too slowly."""

    type, status = "RequestTimeoutException", 408


class TooManyRequestsError(ApiError):
    """No environment may be started; `Reason` says which limit."""

    type, status = "TooManyRequestsException", 429

    def __init__(self, message: str, *, reason: str, retry_after: int = 1) -> None:
        super().__init__(
            message,
            headers={"Retry-After": str(retry_after)},
            members={"Reason": reason},
        )


class ResourceNotReadyError(ApiError):
    """The function is not Active yet, or its environments cannot start."""

    type, status = "ResourceNotReadyException", 502
    fault = "Service"


class FileSystemMountError(ApiError):
    """The file system that a function asks for cannot be mounted."""

    type, status = "EFSMountFailureException", 403
    message_key = "Message"


class FileSystemIOError(ApiError):
    """The file system that a function asks for is lost."""

    type, status = "EFSIOException", 410
    message_key = "Message"


class FileSystemTimeoutError(ApiError):
    """The file system that a function asks for was not mounted in time."""

    type, status = "EFSMountTimeoutException", 408
    message_key = "Message"


class InvalidSubnetError(ApiError):
    """A subnet of the function is not there any more."""

    type, status = "InvalidSubnetIDException", 502
    fault, message_key = "Service", "Message"


class InvalidSecurityGroupError(ApiError):
    """A security group of the function is not there any more."""

    type, status = "InvalidSecurityGroupIDException", 502
    fault, message_key = "Service", "Message"


class ServiceError(ApiError):
    """The platform failed; the log has the request id."""

    type, status = "ServiceException", 500
    fault, message_key = "Service", "Message"


class ServiceUnavailableError(ApiError):
    """A part of the platform is away; try again."""

    type, status = "ServiceUnavailableException", 503
    fault, message_key = "Service", "Message"


class UnknownOperationError(FrontDoorError):
    """No operation of the API has this method and path."""

    type, status = "UnknownOperationException", 404


class NotSupportedError(ApiError):
    """An operation or a field of Lambda's that is not here yet (docs/unsupported.md)."""

    type, status = "NotImplementedException", 501


class AccessDeniedError(FrontDoorError):
    """The caller may not do this."""

    type, status = "AccessDeniedException", 403
    message_key = "Message"


class MissingTokenError(FrontDoorError):
    """The request carries no credentials."""

    type, status = "MissingAuthenticationTokenException", 403


class UnrecognizedClientError(FrontDoorError):
    """No such access key."""

    type, status = "UnrecognizedClientException", 403


class ExpiredTokenError(FrontDoorError):
    """Temporary credentials are past their time."""

    type, status = "ExpiredTokenException", 403


class InvalidSignatureError(FrontDoorError):
    """The signature is not the one that the secret key gives, or it is too old."""

    type, status = "InvalidSignatureException", 403


class IncompleteSignatureError(FrontDoorError):
    """The Authorization header lacks a part."""

    type, status = "IncompleteSignatureException", 400


_PLAIN: dict[type[core.PilotlightError], type[ApiError]] = {
    core.InvalidResourceError: InvalidParameterValueError,
    core.ArtifactMismatchError: InvalidParameterValueError,
    core.NotFoundError: FunctionNotFoundError,
    core.AlreadyExistsError: ResourceConflictError,
    core.ConflictError: ResourceConflictError,
}


_WHY_NOT_STARTED: dict[str, type[ApiError]] = {
    "EFSMountFailure": FileSystemMountError,
    "EFSIOError": FileSystemIOError,
    "EFSMountTimeout": FileSystemTimeoutError,
    "InvalidSubnet": InvalidSubnetError,
    "InvalidSecurityGroup": InvalidSecurityGroupError,
}
"""Lambda's errors for the state reason codes that have one of their own."""


def translate(error: core.PilotlightError) -> ApiError:
    """Say one of core's errors in Lambda's words."""
    match error:
        case core.ThrottledError():
            return TooManyRequestsError(
                str(error), reason=error.reason, retry_after=error.retry_after
            )
        case core.StartFailedError():
            why = _WHY_NOT_STARTED.get(error.reason, ResourceNotReadyError)
            return why(f"{error} ({error.reason})")
        case core.UnavailableError() | core.RevisionGoneError():
            return ServiceUnavailableError(str(error), headers={"Retry-After": "1"})
        case _:
            return _PLAIN.get(type(error), ServiceError)(str(error))
