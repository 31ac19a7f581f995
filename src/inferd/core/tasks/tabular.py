"""Tasks on tables."""

from inferd.core.tasks.model import Field, FieldKind, Output, Task

CATEGORY = "Tabular"

TASKS = (
    Task(
        name="table-question-answering",
        category=CATEGORY,
        label="Table question answering",
        description="Answer a question from a table.",
        inputs=(
            Field(
                name="table",
                kind=FieldKind.TABLE,
                label="Table",
                required=True,
                help="Rows of cells, the header first.",
                example=[["city", "people"], ["Oslo", "700000"], ["Lyon", "520000"]],
            ),
            Field(
                name="table_query",
                kind=FieldKind.TEXT,
                label="Question",
                required=True,
                aliases=("query", "question"),
                example="How many people live in Oslo?",
            ),
        ),
        output=Output.ANSWER,
        gives="{answer, coordinates, cells, aggregator}",
    ),
    Task(
        name="tabular-classification",
        category=CATEGORY,
        label="Tabular classification",
        description="Say which class each row of numbers belongs to.",
        inputs=(
            Field(
                name="features",
                kind=FieldKind.ROWS,
                label="Features",
                required=True,
                aliases=("inputs", "data", "table", "rows"),
                example=[[5.1, 3.5, 1.4, 0.2]],
            ),
        ),
        output=Output.LABELS,
        gives="[{label, class_id, score}], one a row",
    ),
)
