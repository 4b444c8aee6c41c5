"""``recognizer demo``: people enrolled from some sample photos, recognised in others."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from common.folders import cache_folder

# The photos that are examined are other photographs than those that people are enrolled from; the two with
# half a face are cut out of obama.jpg, which is not enrolled either. 32bit.png is obama2.jpg: left out.
ENROLLED = {"Barack Obama": ["obama2", "obama3"], "Joe Biden": ["biden"]}
EXAMINED = ["obama", "obama_partial_face", "obama_partial_face2", "tom_hanks", "t1"]


def demo(
    out: Annotated[Path, typer.Option(help="Folder for annotated copies.", metavar="FOLDER")] = Path(
        "annotated"
    ),
) -> None:
    """Enrol two people from sample photos and find them in others, among strangers.

    Needs no server; weights and photos are fetched once. Its gallery is its own and goes away at the end.
    """
    from networks import zoo
    from recognizer import Recognizer
    from recognizer.cli.annotated import AnnotatedFolder
    from recognizer.cli.recognize import examine, show_results

    enrolled = {name: [zoo.sample(each) for each in samples] for name, samples in ENROLLED.items()}
    examined = [zoo.sample(each) for each in EXAMINED]
    folder = AnnotatedFolder(out, examined)
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="demo-", dir=cache_folder()) as place,
        Recognizer("mobilefacenet", f"sqlite:///{Path(place).absolute()}/people.db", "mtcnn") as recognizer,
    ):
        recognizer.add_customs(enrolled)
        print("Enrolled:")
        for name, photos in enrolled.items():
            print(f"  {name} from {', '.join(photo.name for photo in photos)}")
        results = [examine(recognizer, photo, folder) for photo in examined]
        threshold = recognizer.threshold
    print(f"\nFound in other photos; unknown is who is below a similarity of {threshold:g} to everyone:\n")
    for result in results:
        result.photo = Path(result.photo.name)
    show_results(results)
    print(f"\nAnnotated photos are in {out.absolute()}")
