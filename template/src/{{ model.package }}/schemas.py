"""What all payloads share: how JSON is read strictly, and how a list is cut into pages."""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import pydantic

ItemT = TypeVar("ItemT")

# The default of a field that a change may leave out: it is not sent, rather than null.
ABSENT: Any = None


def _written(pattern: str) -> Callable[[object], object]:
    """Pydantic would also read numbers and other spellings; the contract names one."""

    def check(value: object) -> object:
        if isinstance(value, str) and not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError("Write it as RFC 3339 does")
        if isinstance(value, int | float):
            raise ValueError("Write it as text, as RFC 3339 does")
        return value

    return check


def _in_range(value: Any) -> Any:
    if not 1900 <= value.year < 2200:
        raise ValueError("Only dates from 1900 to 2199 are kept")
    return value


# A length given here would win over the one that a field gives: Pydantic reads this one last.
Text = Annotated[str, pydantic.Field(pattern=r"^[^\x00]*$")]
# What filters take: anything of the type. A number in a query is text, and cannot be as strict.
Term = Annotated[Text, pydantic.Field(max_length=10_000)]
Number = Annotated[int, pydantic.Field(ge=-(2**53) + 1, le=2**53 - 1)]
Integer = Annotated[int, pydantic.Strict()]
Boolean = Annotated[bool, pydantic.Strict()]
DAY = r"\d{4}-\d\d-\d\d"
MOMENT = DAY + r"T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
KEPT = pydantic.AfterValidator(_in_range)
Date = Annotated[dt.date, pydantic.BeforeValidator(_written(DAY)), KEPT]
Instant = Annotated[pydantic.AwareDatetime, pydantic.BeforeValidator(_written(MOMENT)), KEPT]


class In(pydantic.BaseModel):
    """What a client sends: nothing but the fields that are named."""

    model_config = pydantic.ConfigDict(extra="forbid", protected_namespaces=())


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class ChangeIn(In):
    """A change: a field that is absent stays as it is. Ask `model_fields_set` what was sent."""

    model_config = pydantic.ConfigDict(json_schema_extra=_without_defaults)


class Out(pydantic.BaseModel):
    """What a client is shown: nothing but the fields that are named.

    `id` is known to us even where the client is not shown it.
    """

    model_config = pydantic.ConfigDict(from_attributes=True, protected_namespaces=())

    id: UUID = pydantic.Field(exclude=True)


class SingleOut(Out):
    """One thing, with the version that its ETag tells."""

    version: int = pydantic.Field(exclude=True)


class PartOut(pydantic.BaseModel):
    """What is shown of a thing that another one refers to."""

    model_config = pydantic.ConfigDict(protected_namespaces=())


class PageQuery(In):
    limit: int = pydantic.Field(default=20, ge=1, le=100)
    cursor: UUID | None = pydantic.Field(default=None, description="The `next` of a page.")


class Page(pydantic.BaseModel, Generic[ItemT]):
    items: Sequence[ItemT]
    next: UUID | None = pydantic.Field(description="The next `cursor`; null at the end.")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        return "Page" if not params else params[0].__name__.removesuffix("Out") + "Page"
