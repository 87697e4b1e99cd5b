"""CITATION.cff has what the Citation File Format 1.2.0 requires, and the facts of the package."""

import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import landscape

ROOT = Path(__file__).parents[1]
PACKAGE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# https://github.com/citation-file-format/citation-file-format/blob/1.2.0/schema.json
REQUIRED = {"authors", "cff-version", "message", "title"}
KEYS = REQUIRED | {"abstract", "commit", "contact", "date-released", "doi", "identifiers"}
KEYS |= {"keywords", "license", "license-url", "preferred-citation", "references", "repository"}
KEYS |= {"repository-artifact", "repository-code", "type", "url", "version"}
PERSON = {"affiliation", "alias", "email", "family-names", "given-names", "name-particle", "orcid"}
ENTITY = {"alias", "date-end", "date-start", "email", "name", "orcid", "website"}


@pytest.fixture(scope="module")
def citation():
    return YAML(typ="safe").load(ROOT / "CITATION.cff")


def test_it_has_the_required_keys_and_no_unknown_one(citation):
    assert set(citation) >= REQUIRED and set(citation) <= KEYS
    assert citation["cff-version"] == "1.2.0"
    assert all(isinstance(citation[key], str) and citation[key] for key in REQUIRED - {"authors"})
    assert citation["type"] in ("software", "dataset")


def test_each_author_is_a_person_or_an_entity(citation):
    assert citation["authors"]
    for author in citation["authors"]:
        assert set(author) <= (ENTITY if "name" in author else PERSON)
        assert author.get("name") or author.get("family-names")


def test_it_states_the_version_and_the_license_of_the_package(citation):
    assert citation["version"] == landscape.__version__
    assert citation["license"] == PACKAGE["license"]
    assert citation["title"].startswith(f"{PACKAGE['name']}:")
    assert len(set(citation["keywords"])) == len(citation["keywords"]) > 0
