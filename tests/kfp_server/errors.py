"""KFP's errors: what the API server says to whom, and the HTTP status it has (backend/src/common/util/error.go).

An error has a text for the log of the server, which goes to the client too, with every caller's words before it, and a
text for the client, which stands in `details`. What is no UserError there is told with Go's stack.
"""

from __future__ import annotations

from typing import Any

# grpc-gateway, runtime.HTTPStatusFromCode
_HTTP = {2: 500, 3: 400, 5: 404, 6: 409, 7: 403, 9: 400, 10: 409, 12: 501, 13: 500, 14: 503, 16: 401}
_STATUS = "type.googleapis.com/google.rpc.Status"
_FRAME = "github.com/kubeflow/pipelines/backend/src/common/util.Wrap\n\t/go/src/github.com/kubeflow/pipelines/backend/src/common/util/error.go:310"


class ApiError(Exception):
    """An answer that is an error; `wrapped` puts a caller's words before it."""

    def __init__(self, code: int, message: str, external: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.external = external

    @property
    def status(self) -> int:
        return _HTTP[self.code]

    def wrapped(self, words: str) -> ApiError:
        return ApiError(self.code, f"{words}: {self.message}", self.external)

    def body(self) -> dict[str, Any]:
        details = [{"@type": _STATUS, "code": self.code, "message": self.external}]
        return {"code": self.code, "message": self.message, "details": details}


class PlainError(ApiError):
    """A Go error that is no UserError (ToGRPCError): `Internal error: ` and the stack, the innermost words first."""

    def __init__(self, *words: str) -> None:
        self.words = words
        text = "Internal error: " + "\n".join([words[0], *(f"{one}\n{_FRAME}" for one in words[1:])])
        super().__init__(13, text, text)

    def wrapped(self, words: str) -> ApiError:
        return PlainError(*self.words, words)

    def body(self) -> dict[str, Any]:
        made = super().body()
        made["details"][0]["code"] = 2
        return made

    def flat(self) -> str:
        """As another error tells it."""
        return ": ".join(reversed(self.words))


class RouterError(ApiError):
    """No such path or method: the gateway's own answers, without details."""

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "details": []}


def said(error: ApiError | str) -> str:
    """An error's own words, to stand in another one's."""
    if isinstance(error, PlainError):
        return error.flat()
    return error.message if isinstance(error, ApiError) else error


def invalid(message: str) -> ApiError:
    return ApiError(3, f"Invalid input error: {message}", message)


def invalid_because(cause: str, message: str) -> ApiError:
    return ApiError(3, f"InvalidInputError: {message}: {cause}", message)


def internal(cause: ApiError | str, message: str) -> ApiError:
    return ApiError(13, f"InternalServerError: {message}: {said(cause)}", "Internal Server Error")


def missing(kind: str, name: str) -> ApiError:
    text = f"{kind} {name} not found"
    return ApiError(5, f"ResourceNotFoundError: {text}", text)


def exists(message: str) -> ApiError:
    return ApiError(6, f"Already exist error: {message}", message)


def bad_request(cause: ApiError | str, message: str) -> ApiError:
    return ApiError(10, f"BadRequestError: {message}: {said(cause)}", message)


def precondition(cause: str, message: str) -> ApiError:
    return ApiError(9, f"FailedPreconditionError: {message}: {cause}", message)


def denied(message: str) -> ApiError:
    return ApiError(7, f"PermissionDenied: {message}: Unauthorized access", message)


def unauthenticated(cause: str, message: str) -> ApiError:
    return ApiError(16, f"Unauthenticated: {message}: {cause}", message)
