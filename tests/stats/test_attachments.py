from factories import dataset, row

from inboxstats.stats import attachments


def test_media_types_are_ranked_by_files_with_their_bytes() -> None:
    data = dataset(
        row(1, attachments=[_file("image/png", 5), _file("application/pdf", 1000)]),
        row(2, attachments=[_file("image/png", 7, inline=True)]),
        row(3, attachments=[]),
        row(4, attachments=[_file("text/calendar", 1)]),
    )
    assert attachments.compute(data).values.tolist() == [
        ["image/png", 2, 12],
        ["application/pdf", 1, 1000],
        ["text/calendar", 1, 1],
    ]


def _file(media_type: str, size: int, *, inline: bool = False) -> dict[str, object]:
    return {"file_name": None, "media_type": media_type, "size": size, "inline": inline}
