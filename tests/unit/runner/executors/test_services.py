from tracekeeper.protocol.payload import ImageSpec, JobVariable
from tracekeeper.runner.executors.services import describe


def test_a_service_as_its_job_completes_it() -> None:
    spec = ImageSpec(
        "$REGISTRY/a/b:$TAG",
        alias="db,$REGISTRY other",
        variables=(JobVariable("X", "$TAG-x"), JobVariable("Y", "$X"), JobVariable("TAG", "2")),
    )
    service = describe(spec, {"REGISTRY": "r.tld", "TAG": "1"})
    assert service.image == "r.tld/a/b:1"
    assert service.aliases == ("db", "r.tld", "other", "r.tld__a__b", "r.tld-a-b")
    assert service.environment == {"REGISTRY": "r.tld", "TAG": "2", "X": "1-x", "Y": "1-x"}
