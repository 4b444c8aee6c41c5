"""Photos on the page "Recognise", in a browser: who is in them, and strangers who get a name."""

import base64
import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from mtcnn import read_picture

SECONDS = 20_000  # milliseconds, on a busy machine
KNOWN, STRANGER = (0x2E, 0x8B, 0xFF), (0xFF, 0xB0, 0x20)  # of faces.js
GREY = 120


@pytest.fixture(scope="module")
def opened(site, browser):
    """The page, which stays open from test to test."""
    with browser.open(f"{site.url}/recognize") as opened:
        opened.page.set_default_timeout(SECONDS)
        yield opened


@pytest.fixture
def page(site, opened):
    """The same, without photos; a test ends without a problem but refusals, and its people are forgotten."""
    page, before = opened.page, names(site)
    yield page
    assert [each for each in opened.problems if "Failed to load resource" not in each] == []
    assert opened.overflow == 0 and opened.broken_pictures == []
    opened.problems.clear()
    page.unroute_all()
    page.mouse.move(0, 0)
    page.get_by_role("tab", name="Photos").click()
    if page.locator("article.sheet").count():
        page.get_by_role("button", name="Remove all photos").click()
    for name in set(names(site)) - set(before):
        site.services.database.find("default").delete([name])


def names(site, gallery="default"):
    return [person["name"] for person in site.ask("GET", "people", params={"gallery": gallery}).json()["people"]]


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


def give(page, *files):
    """Choose files, each (name, bytes)."""
    page.set_input_files("#files", [{"name": name, "mimeType": "", "buffer": data} for name, data in files])


def sheet(page, name):
    return page.locator("article.sheet").filter(has=page.get_by_role("heading", name=name, exact=True))


def rows(sheet):
    """The rows of a photo's faces, in REST's order, once it was searched."""
    expect(sheet.locator("caption")).to_contain_text("face", timeout=SECONDS)
    return sheet.locator("tbody").all()


def search(site, data):
    answer = site.ask("POST", "search", files=[("photos", ("photo", data))])
    assert answer.status_code == 200, answer.text
    return answer.json()


def beside(*pictures):
    """Pictures on one grey canvas, one beside the other, 20 pixels apart."""
    height = max(picture.shape[0] for picture in pictures)
    canvas = np.full((height + 40, sum(picture.shape[1] + 20 for picture in pictures) + 20, 3), GREY, np.uint8)
    left = 20
    for picture in pictures:
        canvas[20 : 20 + picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + 20
    return canvas


def drawn(sheet):
    """The canvas over a photo as uint8 [H, W, 4] RGBA, and whether it lies exactly over the picture."""
    url, lies_over = sheet.evaluate(
        """sheet => {
            const [over, image] = [sheet.querySelector("canvas"), sheet.querySelector("img")];
            const [a, b] = [over, image].map((each) => each.getBoundingClientRect());
            const same = ["left", "top", "width", "height"].every((side) => Math.abs(a[side] - b[side]) < 1);
            return [over.toDataURL(), same && over.width === image.naturalWidth && over.height === image.naturalHeight];
        }"""
    )
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))), lies_over


def has_box(pixels, box, colour):
    """Whether the lower half of a box's sides is drawn there, solid or dashed; the label lies above."""
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = (round(value) for value in box)
    rows = slice(max(0, (y1 + y2) // 2), min(height, y2))
    sides = [pixels[rows, x, :3] for x in (x1, x2) if 0 <= x < width]
    return bool(sides) and all((np.abs(side.astype(int) - colour).max(axis=1) < 60).mean() > 0.4 for side in sides)


def test_faces_have_the_names_numbers_and_boxes_that_rest_gives(site, page, portraits, sample_photo):
    known, group = png(beside(portraits.obama3, portraits.biden)), sample_photo("t1").read_bytes()
    give(page, ("two.png", known), ("group.jpg", group))
    for name, data in (("two.png", known), ("group.jpg", group)):
        answer = search(site, data)
        [photo] = answer["photos"]
        shown = rows(sheet(page, name))
        assert len(shown) == len(photo["faces"]) > 1
        pixels, lies_over = drawn(sheet(page, name))
        assert lies_over
        for number, (row, face) in enumerate(zip(shown, photo["faces"], strict=True), 1):
            assert row.get_by_role("rowheader").inner_text().startswith(face["name"] or f"stranger {number}")
            assert f"score {face['score']:.3f}" in row.inner_text()
            assert float(row.locator("[data-part=similarity]").inner_text()) == pytest.approx(
                face["similarity"], abs=6e-4
            )
            assert face["runner_up"]["name"] in row.inner_text() and f"margin {face['margin']:.3f}" in row.inner_text()
            assert has_box(pixels, face["box"], KNOWN if face["name"] else STRANGER)
            assert not has_box(pixels, np.add(face["box"], 25), KNOWN if face["name"] else STRANGER)
        assert f"Threshold {answer['threshold']:.3f}" in sheet(page, name).locator("caption").inner_text()
    assert page.get_by_role("link", name="Joe Biden").get_attribute("href") == "/person?gallery=default&name=Joe+Biden"
    expect(page.locator("[data-part=summary]")).to_have_text("2 photos, 8 faces: 2 known, 6 strangers.")


def turned(kind, picture, orientation, told_by):
    """A photo that lies in its file so that EXIF, or XMP, says how to turn it."""
    turns = {3: cv2.ROTATE_180, 8: cv2.ROTATE_90_CLOCKWISE}
    exif = Image.Exif()
    exif[0x0112] = orientation
    xmp = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
        <rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}"/>
        </rdf:RDF></x:xmpmeta>"""
    said = {"exif": exif} if told_by == "exif" else {"xmp": xmp.encode()}
    file = io.BytesIO()
    Image.fromarray(cv2.rotate(picture, turns[orientation])[:, :, ::-1]).save(file, kind, quality=95, **said)
    return file.getvalue()


# Chromium turns no WebP, and nothing that XMP alone tells.
@pytest.mark.parametrize(
    "kind, orientation, told_by, is_seen",
    [("jpeg", 8, "exif", True), ("webp", 3, "exif", False), ("jpeg", 8, "xmp", False)],
)
def test_a_photo_that_lies_turned_has_its_boxes_on_the_faces_or_is_not_shown(
    site, page, portraits, kind, orientation, told_by, is_seen
):
    photo = turned(kind, beside(portraits.obama3, portraits.wall), orientation, told_by)
    give(page, ("turned", photo))
    [row] = rows(sheet(page, "turned"))
    expect(row.get_by_role("link", name="Barack Obama")).to_be_visible()
    if not is_seen:
        expect(sheet(page, "turned")).to_contain_text("does not show the picture as the service sees it")
        expect(sheet(page, "turned").locator(".picture")).to_be_hidden()
        return
    [face] = search(site, photo)["photos"][0]["faces"]
    pixels, lies_over = drawn(sheet(page, "turned"))
    assert lies_over and pixels.shape[1] > pixels.shape[0]
    assert has_box(pixels, face["box"], KNOWN)


def test_liveness_is_told_in_words(page, portraits):
    """The network would tell nothing of a photo on which a test could rely: its words are put into the answer."""

    def with_liveness(route):
        answer = route.fetch()
        told = answer.json()
        told["photos"][0]["faces"][0]["liveness"] = {"live": False, "score": 0.9, "sharpness": 9, "reason": "not sharp"}
        route.fulfill(response=answer, json=told)

    page.route("**/v1/search?**", with_liveness)
    give(page, ("one.png", png(portraits.obama3)))
    [row] = rows(sheet(page, "one.png"))
    expect(row.get_by_text("not live", exact=True)).to_be_visible()
    expect(row).to_contain_text("not sharp")


def test_what_is_no_picture_is_told_with_that_file_and_stops_no_other(page, portraits):
    hostile = '<img src=x onerror="document.title=1">.jpg'
    give(page, (hostile, b"<svg onload=alert(1)>" * 9), ("fine.png", png(portraits.obama3)), ("empty", b""))
    expect(sheet(page, hostile).get_by_role("alert")).to_contain_text("is not a picture", timeout=SECONDS)
    expect(sheet(page, "empty").get_by_role("alert")).to_contain_text("is not a picture", timeout=SECONDS)
    [row] = rows(sheet(page, "fine.png"))
    expect(row).to_contain_text("Barack Obama")
    assert page.title() == "Recognise · Recognizer"
    assert not page.get_by_role("button", name="Try again").first.is_visible()
    sheet(page, "fine.png").get_by_role("button", name="Remove").click()
    expect(page.locator("article.sheet")).to_have_count(2)
    expect(page.locator("[data-part=summary]")).to_have_text("")
    page.get_by_role("button", name="Remove all photos").click()
    expect(page.locator("article.sheet")).to_have_count(0)


def test_a_stranger_of_a_group_gets_a_name_and_is_recognised_in_all_photos(site, page, sample_photo):
    group = sample_photo("t1").read_bytes()
    faces = search(site, group)["photos"][0]["faces"]
    smallest = min(range(len(faces)), key=lambda i: faces[i]["box"][3] - faces[i]["box"][1])
    x1, y1, x2, y2 = (int(value) for value in faces[smallest]["box"])
    alone = png(read_picture(group)[max(0, y1 - 50) : y2 + 50, max(0, x1 - 60) : x2 + 40])
    name = "Zoë <b>& Co.</b> ../?#%"
    give(page, ("group.jpg", group), ("alone.png", alone))
    [other] = rows(sheet(page, "alone.png"))
    expect(other).to_contain_text("stranger 1")
    row = rows(sheet(page, "group.jpg"))[smallest]
    row.get_by_label(f"Name of stranger {smallest + 1}").fill(name)
    row.get_by_role("button", name="Enrol").click()
    expect(row.get_by_role("link", name=name)).to_be_visible(timeout=SECONDS)
    expect(other.get_by_role("link", name=name)).to_be_visible(timeout=SECONDS)
    expect(row.get_by_role("combobox")).to_be_hidden()
    expect(page.locator("#notices")).to_contain_text(f"Enrolled: {name}, a new person, with one photo.")
    found = [face["name"] for face in search(site, group)["photos"][0]["faces"]]
    assert found == [name if index == smallest else None for index in range(len(faces))]
    assert has_box(drawn(sheet(page, "group.jpg"))[0], faces[smallest]["box"], KNOWN)


def test_a_face_is_cut_out_of_the_photo_as_it_is(site, page, sample_photo):
    group = sample_photo("t1").read_bytes()
    give(page, ("group.jpg", group))
    rows(sheet(page, "group.jpg"))
    whole, (x1, y1, x2, y2) = read_picture(group), search(site, group)["photos"][0]["faces"][1]["box"]
    cut = cut_out(sheet(page, "group.jpg"), [x1, y1, x2, y2])
    place = cv2.matchTemplate(whole, cut, cv2.TM_SQDIFF_NORMED)
    assert place.min() < 1e-4
    width, height = x2 - x1, y2 - y1
    assert cut.shape[:2] == (pytest.approx(2.2 * height, abs=1), pytest.approx(2.2 * width, abs=1))
    assert cv2.minMaxLoc(place)[2] == (pytest.approx(x1 - 0.6 * width, abs=1), pytest.approx(y1 - 0.6 * height, abs=1))
    corner = cut_out(sheet(page, "group.jpg"), [-9, -20, 91, 180])
    assert corner.shape == (300, 151, 3) and np.abs(corner.astype(int) - whole[:300, :151]).mean() < 2
    assert max(cut_out(sheet(page, "group.jpg"), [0, 0, 1200, 700]).shape) == 1024


def cut_out(sheet, box):
    """What cut.js makes of a box of a photo, as a picture."""
    url = sheet.evaluate(
        """async (sheet, box) => {
            const page = document.querySelector("script[src*='recognize.js']").src;
            const { cutFace } = await import(page.replace("recognize", "cut"));
            const blob = await cutFace(sheet.querySelector("img"), box);
            const reader = new FileReader();
            return new Promise((done) => { reader.onload = () => done(reader.result); reader.readAsDataURL(blob); });
        }""",
        box,
    )
    return read_picture(base64.b64decode(url.partition(",")[2]))


def test_a_name_that_is_sent_again_because_no_answer_came_is_stored_once(site, page, sample_photo):
    lost = []

    def lose_the_answer(route):
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/people/**", lose_the_answer, times=1)
    give(page, ("tom.png", sample_photo("tom_hanks").read_bytes()))
    [row] = rows(sheet(page, "tom.png"))
    row.get_by_role("combobox").fill("Tom")
    row.get_by_role("button", name="Enrol").click()
    expect(row.get_by_role("alert")).to_have_text("The service cannot be reached. Is it running?", timeout=SECONDS)
    row.get_by_role("button", name="Enrol").click()
    expect(row.get_by_role("link", name="Tom")).to_be_visible(timeout=SECONDS)
    assert lost == [201] and site.ask("GET", "people/Tom").json()["photos"] == 1


def test_a_name_counts_in_the_gallery_of_the_page_and_what_is_still_not_recognised_is_told(site, browser, sample_photo):
    site.ask("POST", "galleries", json={"name": "guests"}).raise_for_status()
    site.ask("PATCH", "galleries/guests", json={"threshold": {"similarity": 0.9999}}).raise_for_status()
    with browser.open(f"{site.url}/recognize?gallery=guests") as opened:
        give(opened.page, ("group.jpg", sample_photo("t1").read_bytes()))
        row = rows(sheet(opened.page, "group.jpg"))[0]
        assert row.inner_text().split()[:7] == ["1", "stranger", "1", "score", "1.000", "–", "–"]
        expect(opened.page.locator("caption")).to_have_text(
            "6 faces. Threshold 1.000, nobody measured its false accept rate."
        )
        row.get_by_role("combobox").fill("..")
        row.get_by_role("button", name="Enrol").click()
        expect(row.get_by_role("alert")).to_contain_text(
            "Enrolled as .., and not recognised as .. (similarity 0.9", timeout=SECONDS
        )
        expect(row).to_contain_text("nearest: ..")
        assert opened.problems == []
    assert names(site, "guests") == [".."] and ".." not in names(site)


def test_what_the_gates_refuse_is_told_at_the_row_and_the_name_stays(site, page, sample_photo):
    before = names(site)
    give(page, ("dark.png", png((read_picture(sample_photo("tom_hanks")) * 0.2).astype(np.uint8))))
    [row] = rows(sheet(page, "dark.png"))
    row.get_by_role("combobox").fill("Ann")
    row.get_by_role("button", name="Enrol").click()
    expect(row.get_by_role("alert")).to_contain_text("Too dark", timeout=SECONDS)
    expect(row.get_by_role("alert")).to_contain_text("Turn to the light.")
    expect(row.get_by_role("combobox")).to_have_value("Ann")
    assert names(site) == before


def test_the_keyboard_alone_comes_to_everything(site, page, portraits):
    press = page.keyboard.press
    page.get_by_role("tab", name="Photos").focus()
    press("ArrowRight")
    expect(page.get_by_role("tab", name="Camera")).to_be_focused()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
    assert not page.locator("#files").is_visible()
    press("ArrowLeft")
    expect(page.get_by_role("tab", name="Photos")).to_have_attribute("aria-selected", "true")
    press("Tab")
    expect(page.locator("#files")).to_be_focused()
    give(page, ("one.png", png(beside(portraits.wall, portraits.biden))))
    [row] = rows(sheet(page, "one.png"))
    for _ in range(2):  # "Remove all photos", "Remove"
        press("Tab")
    press("Tab")
    mark = row.get_by_role("button", name="Show face 1 in the picture")
    expect(mark).to_be_focused()
    assert shaded(sheet(page, "one.png"))
    press("Enter")
    expect(mark).to_have_attribute("aria-pressed", "true")
    press("Tab")
    expect(row.get_by_role("link", name="Joe Biden")).to_be_focused()


def shaded(sheet):
    """Whether all but a face is shaded."""
    return drawn(sheet)[0][-1, -1, 3] > 100


def test_pointing_at_a_row_shows_its_face_in_the_picture(page, portraits):
    give(page, ("two.png", png(beside(portraits.obama3, portraits.biden))))
    shown, photo = rows(sheet(page, "two.png")), sheet(page, "two.png")
    assert not shaded(photo)
    for row in shown:
        row.hover()
        assert shaded(photo)
        at = {name: drawn(photo)[0][150, x, 3] for name, x in (("Barack Obama", 150), ("Joe Biden", 430))}
        assert [name for name, alpha in at.items() if alpha == 0] == [row.get_by_role("link").inner_text()]
    page.locator("h1").hover()
    assert not shaded(photo)


def test_photos_are_dropped_and_pasted_anywhere(page, portraits):
    page.get_by_role("tab", name="Camera").click()
    for event, name in (("drop", "dropped.png"), ("paste", "pasted.png")):
        page.evaluate(
            """async ([event, name, url]) => {
                const held = new DataTransfer();
                const bytes = Uint8Array.from(atob(url), (each) => each.charCodeAt(0));
                held.items.add(new File([bytes], name, { type: "image/png" }));
                const options = { bubbles: true, cancelable: true };
                document.body.dispatchEvent(event === "drop" ? new DragEvent("drop", { ...options, dataTransfer: held })
                    : new ClipboardEvent("paste", { ...options, clipboardData: held }));
            }""",
            [event, name, base64.b64encode(png(portraits.obama3)).decode()],
        )
        [row] = rows(sheet(page, name))
        expect(row).to_contain_text("Barack Obama")
    expect(page.get_by_role("heading", level=2)).to_have_text(["pasted.png", "dropped.png"])  # the latest first


def test_photos_are_sent_in_groups_and_a_full_queue_is_asked_again(page, portraits):
    sent = []

    def answer(route):
        sent.append(route.request.post_data_buffer.count(b'name="photos"'))
        if len(sent) == 1:
            body = json.dumps({"code": "overloaded", "message": "Try again.", "details": {}})
            return route.fulfill(status=503, content_type="application/json", body=body)
        return route.continue_()

    page.route("**/v1/search?**", answer)
    small = png(cv2.resize(portraits.obama3, (90, 90)))
    give(page, *[(f"{number}.png", small) for number in range(9)])
    expect(page.locator("[data-part=summary]")).to_contain_text("9 photos", timeout=SECONDS)
    assert sent == [8, 8, 1]


def test_a_search_that_takes_long_shows_how_far_it_is_and_can_be_cancelled_and_repeated(page, portraits):
    page.route("**/v1/search?**", lambda route: None)  # no answer comes
    small = png(cv2.resize(portraits.obama3, (90, 90)))
    give(page, *[(f"{number}.png", small) for number in range(9)])
    expect(page.get_by_role("progressbar")).to_be_hidden()
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=SECONDS)
    expect(page.get_by_text("Looking at photos: 0 of 9")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert").filter(has_text="Cancelled.")).to_have_count(9)
    expect(page.get_by_role("progressbar")).to_be_hidden()
    page.unroute("**/v1/search?**")
    last = sheet(page, "8.png")
    last.get_by_role("button", name="Try again").click()
    [row] = rows(last)
    expect(row).to_contain_text("Barack Obama")
    expect(last.get_by_role("alert")).to_be_hidden()


def test_a_file_that_is_gone_before_its_turn_is_told(page, portraits, tmp_path):
    held, path = [], tmp_path / "gone.png"
    page.route("**/v1/search?**", lambda route: held.append(route))
    give(page, ("first.png", png(portraits.obama3)))
    expect(sheet(page, "first.png")).to_contain_text("Looking for faces.")
    while not held:
        page.wait_for_timeout(20)
    path.write_bytes(png(portraits.obama3))
    page.set_input_files("#files", path)
    expect(sheet(page, "gone.png")).to_be_visible()
    path.unlink()
    held[0].continue_()
    expect(sheet(page, "gone.png").get_by_role("alert")).to_have_text("This file cannot be read.", timeout=SECONDS)
    assert len(rows(sheet(page, "first.png"))) == len(held) == 1


def test_names_of_people_who_are_there_are_suggested(page, portraits, sample_photo):
    give(page, ("wall.png", png(portraits.wall)), ("tom.png", sample_photo("tom_hanks").read_bytes()))
    expect(sheet(page, "wall.png")).to_contain_text("No face was found.", timeout=SECONDS)
    [row] = rows(sheet(page, "tom.png"))
    row.get_by_role("combobox").fill("Bar")
    expect(page.locator("#names option[value='Barack Obama']")).to_have_count(1)
    expect(page.locator("#names option")).to_have_count(1)


def test_an_unknown_gallery_is_a_page_that_says_so(site, browser):
    with browser.open(f"{site.url}/recognize?gallery=nowhere") as opened:
        expect(opened.page.get_by_role("heading", name="Unknown gallery")).to_be_visible()


def test_the_page_stands_without_a_fault_in_each_window(site, browser, sample_photo, portraits):
    with browser.open(f"{site.url}/recognize") as opened:
        group, long_name = sample_photo("t1").read_bytes(), "a name without end " * 6
        give(opened.page, ("group.jpg", group), (long_name, png(portraits.obama)))
        rows(sheet(opened.page, "group.jpg"))
        for width in (390, 1440):
            for dark in (False, True):
                opened.show(width=width, dark=dark)
                opened.photograph(f"recognize-{width}-{'dark' if dark else 'light'}")
                assert opened.problems == [] and opened.overflow == 0 and opened.broken_pictures == []
                wide = "[...document.querySelectorAll('.table')].map(each => each.scrollWidth - each.clientWidth)"
                assert opened.page.evaluate(wide) == [0, 0]
