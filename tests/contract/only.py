"""A kind of contract for import-linter: modules that import what is listed, and nothing else."""

from __future__ import annotations

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyContract(Contract):
    """Modules import each other, the standard library, and the packages that are allowed.

    Options of the contract:
        modules: packages; each may import itself.
        allowed: packages that all of them may import.
    """

    type_name = "only"

    modules = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        strangers = []
        for package in self.modules:
            inside = {package, *graph.find_descendants(package)}
            for module in sorted(inside):
                imported = graph.find_modules_directly_imported_by(module) - inside
                strangers += [
                    f"{module} imports {name}" for name in sorted(imported) if not self._is_allowed(name)
                ]
        return ContractCheck(kept=not strangers, metadata={"strangers": strangers})

    def _is_allowed(self, name: str) -> bool:
        package = name.split(".")[0]
        return package in self.allowed or package in sys.stdlib_module_names

    def render_broken_contract(self, check: ContractCheck) -> None:
        for stranger in check.metadata["strangers"]:
            output.print_error(stranger)
