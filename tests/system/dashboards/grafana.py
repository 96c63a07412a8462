"""Grafana's part in a query, as it documents it: macros and variables are text, put in before a database sees it."""

import json
import re
from dataclasses import dataclass
from datetime import datetime

from benchmarks.parts import REPO

FOLDER = REPO / "deploy" / "grafana"


def boards():
    """The dashboards by uid."""
    found = [json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))]
    return {board["uid"]: board for board in found}


@dataclass(frozen=True)
class Query:
    """A query of a dashboard: where it stands, what it asks, of which kind of database."""

    where: str
    text: str
    source: str
    form: str
    panel: dict | None = None


def queries(source):
    """Every query of every dashboard to a kind of database: of panels, variables and annotations."""
    found = []
    for uid, board in boards().items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                text = target.get("rawSql") or target.get("query")
                form = target.get("format") or target.get("resultFormat")
                where = f"{uid} | {panel['title']}"
                found.append(Query(where, text, target["datasource"]["type"], form, panel))
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                where = f"{uid} | ${variable['name']}"
                found.append(Query(where, variable["query"], variable["datasource"]["type"], "variable"))
        for annotation in board["annotations"]["list"]:
            where = f"{uid} | annotation {annotation['name']}"
            found.append(Query(where, annotation["target"]["rawSql"], annotation["datasource"]["type"], "annotation"))
    return [query for query in found if query.source == source]


@dataclass(frozen=True)
class Chosen:
    """What is chosen on the page: the time, the interval of a point, and the variables."""

    begins: datetime
    ends: datetime
    interval_s: int
    variables: dict[str, list[str]]

    def sql(self, text: str) -> str:
        """A query as PostgreSQL gets it."""
        begins, ends = (f"'{when.isoformat().replace('+00:00', 'Z')}'" for when in (self.begins, self.ends))
        text = text.replace("$__interval", f"{self.interval_s}s")
        grouped = r"$__timeGroup(\1,\2)"
        text = re.sub(r"\$__timeGroupAlias\(([^,()]+),\s*([^()]+)\)", rf'{grouped} AS "time"', text)
        text = re.sub(r"\$__timeGroup\(([^,()]+),\s*(\d+)s\)", r"floor(extract(epoch from \1)/\2)*\2", text)
        text = re.sub(r"\$__timeFilter\(([^()]+)\)", rf"\1 BETWEEN {begins} AND {ends}", text)
        text = text.replace("$__timeFrom()", begins).replace("$__timeTo()", ends)
        for name, values in self.variables.items():
            quoted = ",".join("'" + value.replace("'", "''") + "'" for value in values)
            text = text.replace(f"${{{name}:sqlstring}}", quoted).replace(f"${{{name}:raw}}", ",".join(values))
        return text

    def influxql(self, text: str) -> str:
        """A query as InfluxDB gets it."""
        begins, ends = (round(when.timestamp() * 1000) for when in (self.begins, self.ends))
        text = text.replace("$timeFilter", f"time >= {begins}ms and time <= {ends}ms")
        text = text.replace("$__interval", f"{self.interval_s}s")
        for name, values in self.variables.items():
            text = text.replace(f"${{{name}:regex}}", f"({'|'.join(map(re.escape, values))})")
        return text
