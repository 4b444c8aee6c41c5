"""The page of one person: what photos are worth, and every change, also of names that look like code and paths."""

import re
from types import SimpleNamespace
from urllib.parse import urlencode

import cv2
import pytest
import requests
from markupsafe import escape
from playwright.sync_api import expect

from db.conditional import version_of
from recognizer.service.pages.unlike import unlike_others
from tests.recognizer.pages.sites import photo_files
from tests.recognizer.service.serving import guarded  # noqa: F401 - a fixture

SIZES = [(390, False), (390, True), (1440, False), (1440, True)]
BROWSER = {"Accept": "text/html"}
NAMES = (
    "<script>alert(1)</script>", "a/b", "..", "%2F", "\u05e9\u05dc\u05d5\u05dd \u202e abc", "\U0001f642" * 255,
    "?name=other&x=\"'<b>#part",
)  # fmt: skip


@pytest.fixture(scope="module")
def known(site, portraits):
    """The faces of three photos of one man, and of one of another, as REST stores them."""
    gallery = site.services.recognizers.of(site.services.recognizers.default).gallery
    pictures = portraits.obama, portraits.obama2, portraits.obama3, portraits.biden
    answer = site.ask("POST", "people", data={"name": "known"}, files=photo_files(*pictures))
    assert answer.status_code == 201, answer.text
    yield gallery.faces("known")


@pytest.fixture
def people(site, known):
    """Ann (all of these photos) and Bob (the last), who are alone in the gallery."""
    gallery = site.services.recognizers.of(site.services.recognizers.default).gallery
    gallery.delete([person.name for person in gallery.people()])
    gallery.add_many({"Ann": known, "Bob": known[3:]})
    return SimpleNamespace(
        gallery=gallery,
        names=lambda: {person.name for person in gallery.people()},
        photos=lambda name: gallery.photos(name),
        version=lambda name: f'"{version_of(gallery, name)}"',
    )


def as_file(picture, name):
    return {"name": name, "mimeType": "image/png", "buffer": cv2.imencode(".png", picture)[1].tobytes()}


def show(site, name="Ann"):
    return requests.get(f"{site.url}/person", {"name": name}, headers=BROWSER, timeout=10)


def send(site, action, name, version, **fields):
    """A form of the page, as a browser without scripts sends it."""
    return requests.post(
        f"{site.url}/person/{action}", {"version": version, **fields}, params={"name": name}, headers=BROWSER,
        timeout=10, allow_redirects=False,
    )  # fmt: skip


def faultless(opened, but=()):
    assert [
        each for each in opened.problems if not any(status in each for status in but)
    ] == [] and opened.overflow == 0


def address(site, name):
    return f"{site.url}/person?{urlencode({'name': name})}"


def test_the_photo_of_somebody_else_is_told_in_words(site, window, people, portraits):
    told = site.ask("GET", "people/Ann/photos", params={"similarities": True}).json()["photos"]
    assert [each["similarity"] < 0.3 for each in told] == [False, False, False, True]
    with window.open(address(site, "Ann")) as opened:
        page = opened.page
        cards = page.locator("#person").get_by_role("listitem")
        expect(cards).to_have_count(4)
        for card, photo in zip(cards.all(), told, strict=True):
            expect(card).to_contain_text(f"similarity {photo['similarity']:.3f}")
            expect(card).to_contain_text(photo["source"])
            assert ("unlike the others" in card.text_content()) == (photo is told[3])
        expect(page.locator("#person")).to_contain_text("1 photo is unlike the others, and may show somebody else.")
        for width, dark in SIZES:
            opened.show(width=width, dark=dark)
            assert opened.overflow == 0 and opened.broken_pictures == []
            opened.photograph(f"person-{width}-{'dark' if dark else 'light'}")
        faultless(opened)


def test_a_photo_is_unlike_the_others_below_the_threshold_or_far_below_their_median():
    assert unlike_others([0.9, 0.46, 0.47], 0.47) == [False, True, False]
    assert unlike_others([0.9, 0.61, 0.9, 0.59, 0.9], 0.2) == [False, False, False, True, False]
    assert unlike_others([0.9, 0.8, 0.4], None) == [False, False, True]
    assert unlike_others([0.1, 0.1], None) == [False, False]
    assert unlike_others([None], 0.5) == [False]
    assert unlike_others([0.1, 0.1], 0.47) == [True, True]


def test_photos_are_added_and_each_has_its_outcome(site, window, people, portraits):
    with window.open(address(site, "Bob")) as opened:
        page = opened.page
        page.get_by_label("Choose photos").set_input_files(
            [
                as_file(portraits.wall, "wall.png"),
                as_file(portraits.biden, "joe.png"),
                as_file(portraits.obama, "<b>.png"),
            ]
        )
        outcomes = page.get_by_role("list", name="Photos given").get_by_role("listitem")
        expect(page.locator(".sending")).to_have_text("2 stored, 1 not used.")
        expect(outcomes.nth(0)).to_have_text("wall.png: not used. No face found.")
        expect(outcomes.nth(1)).to_contain_text("joe.png: stored")
        expect(outcomes.nth(2)).to_contain_text("<b>.png: stored, but look at it")
        expect(outcomes.nth(2).get_by_role("link")).to_have_text("Show Ann")
        expect(page.locator("#person").get_by_role("listitem")).to_have_count(3)
        faultless(opened, but=["422"])
    assert [photo.source for photo in people.photos("Bob")] == ["4.png", "joe.png", "<b>.png"]


def test_a_photo_whose_answer_was_lost_is_sent_again_and_stored_once(site, window, people, portraits):
    with window.open(address(site, "Bob")) as opened:
        page, lost = opened.page, []

        def lose(route):
            lost.append(route.fetch().status)
            route.abort()

        page.route("**/person/photos?*", lose, times=1)
        page.get_by_label("Choose photos").set_input_files([as_file(portraits.biden, f"{n}.png") for n in (5, 6)])
        expect(page.get_by_role("alert").first).to_contain_text("cannot be reached")
        page.get_by_role("button", name="Send the rest again").click()
        expect(page.locator(".sending")).to_have_text("2 stored.")
    assert lost == [201] and [photo.source for photo in people.photos("Bob")] == ["4.png", "5.png", "6.png"]


def test_photos_that_were_chosen_before_the_scripts_were_there_are_sent(site, window, people, portraits):
    with window.open(address(site, "Ann")) as opened:
        page = opened.page

        def choose(route):
            page.get_by_label("Choose photos").set_input_files([as_file(portraits.biden, "early.png")])
            route.continue_()

        page.route("**/person.js", choose, times=1)
        page.goto(address(site, "Bob"))
        expect(page.locator(".sending")).to_have_text("1 stored.")
    assert [photo.source for photo in people.photos("Bob")] == ["4.png", "early.png"]


def test_photos_of_somebody_who_is_gone_make_nobody_new(site, window, people, portraits):
    with window.open(address(site, "Bob")) as opened:
        people.gallery.delete("Bob")
        opened.page.get_by_label("Choose photos").set_input_files([as_file(portraits.biden, "joe.png")])
        expect(opened.page.get_by_role("alert").first).to_contain_text("Not in the gallery: 'Bob'")
        expect(opened.page.get_by_role("button", name="Send the rest again")).to_be_visible()
    assert people.names() == {"Ann"}


def test_all_photos_are_replaced_once_that_is_confirmed(site, window, people, portraits):
    with window.open(address(site, "Bob")) as opened:
        page = opened.page
        choose = page.get_by_label("Choose photos")
        page.get_by_label("Replace the photos that are there").check()
        choose.set_input_files([as_file(portraits.obama, "new.png"), as_file(portraits.wall, "wall.png")])
        dialog = page.get_by_role("dialog", name="Replace all photos?")
        expect(dialog).to_contain_text("Chosen: new.png, wall.png.")
        dialog.get_by_role("button", name="Keep them").click()
        expect(page.get_by_role("list", name="Photos given").get_by_role("listitem")).to_have_count(0)
        people.gallery.set_metadata("Bob", {"by": "somebody else"})
        choose.set_input_files([as_file(portraits.obama, "new.png"), as_file(portraits.wall, "wall.png")])
        dialog.get_by_role("button", name="Replace").click()
        expect(page.get_by_role("alert").first).to_contain_text("Somebody else changed this person")
        assert [photo.source for photo in people.photos("Bob")] == ["4.png"]
        expect(page.get_by_label("What is kept with this person")).to_have_value(re.compile("somebody else"))
        page.get_by_role("button", name="Send the rest again").click()
        dialog.get_by_role("button", name="Replace").click()
        expect(page.locator(".sending")).to_have_text("1 stored, 1 not used.")
        outcomes = page.get_by_role("list", name="Photos given").get_by_role("listitem")
        expect(outcomes).to_have_text([re.compile("^new.png: stored"), "wall.png: not used. no face found"])
        expect(page.locator("#person").get_by_role("listitem")).to_have_count(1)
        faultless(opened, but=["412"])
    assert [photo.source for photo in people.photos("Bob")] == ["new.png"]


def test_a_photo_is_deleted_and_moved_and_two_people_become_one(site, window, people):
    with window.open(address(site, "Ann")) as opened:
        page = opened.page
        cards = page.locator("#person").get_by_role("listitem")
        page.get_by_role("button", name="Delete 2.png").click()
        dialog = page.get_by_role("dialog", name="Delete this photo?")
        expect(dialog).to_contain_text("2.png no longer counts for Ann.")
        dialog.get_by_role("button", name="Delete the photo").click()
        expect(cards).to_have_count(3)
        expect(page.get_by_role("heading", name="Photos", exact=True)).to_be_focused()
        page.get_by_label("Choose 4.png").check()
        page.get_by_label("Move the ticked photos to").press_sequentially("Bo")
        expect(page.locator("#names option")).to_have_count(1)
        assert page.locator("#names option").get_attribute("value") == "Bob"
        page.get_by_label("Move the ticked photos to").fill("Bobby")
        page.get_by_role("button", name="Move", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Not in the gallery: 'Bobby'")
        expect(page.get_by_label("Choose 4.png")).to_be_checked()
        page.get_by_label("That person may be new").check()
        page.get_by_role("button", name="Move", exact=True).click()
        expect(page.get_by_role("link", name="Bobby")).to_be_visible()
        expect(cards).to_have_count(2)
        assert [photo.source for photo in people.photos("Bobby")] == ["4.png"]
        page.get_by_role("button", name="Merge somebody").click()
        dialog = page.get_by_role("dialog", name="Who else is Ann?")
        dialog.get_by_label("Name of the other person").fill("Bobb")
        dialog.get_by_role("button", name="Merge").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Not in the gallery: 'Bobb'")
        dialog.get_by_label("Name of the other person").fill("Bobby")
        dialog.get_by_role("button", name="Merge").click()
        expect(cards).to_have_count(3)
        assert people.names() == {"Ann", "Bob"}
        faultless(opened, but=["404"])


def test_who_gives_all_photos_away_is_asked_first_and_forgotten(site, window, people):
    with window.open(address(site, "Bob")) as opened:
        page = opened.page
        page.get_by_label("Choose 4.png").check()
        page.get_by_label("Move the ticked photos to").fill("Ann")
        page.get_by_role("button", name="Move", exact=True).click()
        dialog = page.get_by_role("dialog", name="Move all photos?")
        dialog.get_by_role("button", name="Keep them").click()
        assert people.names() == {"Ann", "Bob"}
        page.get_by_role("button", name="Move", exact=True).click()
        dialog.get_by_role("button", name="Move all").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Ann")
        faultless(opened)
    assert people.names() == {"Ann"} and len(people.photos("Ann")) == 5


def test_name_and_metadata_are_changed_and_what_is_wrong_is_told_in_place(site, window, people):
    with window.open(address(site, "Bob")) as opened:
        page = opened.page
        metadata = page.get_by_label("What is kept with this person")
        for text, problem in (('{"team": ', "line 1, column 10"), ("[1]", "a JSON object"), ('{"a": NaN}', "no JSON")):
            metadata.fill(text)
            page.get_by_role("button", name="Save metadata").click()
            expect(page.get_by_role("alert")).to_contain_text(problem)
            expect(metadata).to_have_value(text)
            expect(metadata).to_be_focused()
        metadata.fill('{"team": "\u00e4"}')
        page.get_by_role("button", name="Save metadata").click()
        expect(page.get_by_text("The metadata was changed.")).to_be_visible()
        assert people.gallery.person("Bob").metadata == {"team": "\u00e4"}
        page.get_by_label("New name").fill("Ann")
        page.get_by_role("button", name="Rename").click()
        expect(page.get_by_role("alert")).to_contain_text("There is a 'Ann' already")
        page.get_by_label("New name").fill("Bob Lee")
        page.get_by_role("button", name="Rename").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Bob Lee")
        assert "name=Bob+Lee" in page.url
        faultless(opened, but=["409", "422"])
    assert people.names() == {"Ann", "Bob Lee"}


def test_who_was_slower_sees_the_new_state_and_loses_nothing(site, window, people):
    with window.open(address(site, "Bob")) as opened:
        page = opened.page
        people.gallery.set_metadata("Bob", {"by": "somebody else"})
        page.get_by_label("What is kept with this person").fill('{"by": "me"}')
        page.get_by_role("button", name="Save metadata").click()
        expect(page.get_by_role("alert")).to_contain_text("Somebody else changed Bob after this page was made")
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_label("What is kept with this person")).to_have_value('{"by": "me"}')
        expect(page.locator("#changes pre")).to_contain_text("somebody else")
        faultless(opened, but=["412"])
        opened.photograph(
            "person-conflict-1440-light"
        )  # which itself breaks the policy for styles, where a field has a caret
        assert people.gallery.person("Bob").metadata == {"by": "somebody else"}
        page.get_by_role("button", name="Save metadata").click()
        expect(page.get_by_text("The metadata was changed.")).to_be_visible()
    assert people.gallery.person("Bob").metadata == {"by": "me"}


def test_what_is_typed_and_ticked_stays_where_another_part_is_changed(site, window, people, portraits):
    with window.open(address(site, "Ann")) as opened:
        page = opened.page
        metadata, save = (
            page.get_by_label("What is kept with this person"),
            page.get_by_role("button", name="Save metadata"),
        )

        def delete(source):
            page.get_by_role("button", name=f"Delete {source}").click()
            page.get_by_role("button", name="Delete the photo").click()
            expect(page.get_by_role("button", name=f"Delete {source}")).to_have_count(0)

        metadata.fill('{"by": "me"}')
        page.get_by_label("Choose 4.png").check()
        delete("1.png")
        expect(metadata).to_have_value('{"by": "me"}')
        expect(page.get_by_label("Choose 4.png")).to_be_checked()
        save.click()
        expect(page.get_by_text("The metadata was changed.")).to_be_visible()
        expect(page.get_by_label("Choose 4.png")).to_be_checked()

        metadata.fill('{"by": "me again"}')
        people.gallery.set_metadata("Ann", {"by": "somebody else"})
        page.get_by_label("Choose photos").set_input_files([as_file(portraits.obama, "more.png")])
        expect(page.get_by_label("Choose more.png")).to_be_visible()
        expect(metadata).to_have_value('{"by": "me again"}')
        save.click()
        expect(page.locator("#changes pre")).to_contain_text("somebody else")
        delete("2.png")
        expect(metadata).to_have_value('{"by": "me again"}')
        assert people.gallery.person("Ann").metadata == {"by": "somebody else"}
        faultless(opened, but=["412"])


def test_no_form_that_is_out_of_date_changes_anything(site, people):
    old, photo = people.version("Ann"), str(people.photos("Ann")[0].id)
    people.gallery.set_metadata("Ann", {"new": "state"})
    before = people.version("Ann"), people.version("Bob")
    fields = {
        "rename": {"new_name": "Anna"}, "metadata": {"metadata": "{}"}, "merge": {"other": "Bob"}, "delete": {},
        "move": {"photo": photo, "move_to": "Bob"}, "photos/delete": {"photo": photo}, "erase": {"typed_name": "Ann"},
    }  # fmt: skip
    for action, typed in fields.items():
        answer = send(site, action, "Ann", old, **typed)
        assert answer.status_code == 412 and "Somebody else changed" in answer.text, action
        assert str(escape(before[0])) in answer.text, action
    assert (people.version("Ann"), people.version("Bob")) == before
    for action, typed in fields.items():
        assert send(site, action, "Ann", "", **typed).status_code == 422
    assert (people.version("Ann"), people.version("Bob")) == before


def test_the_only_photo_of_a_person_stays(site, people):
    photo = people.photos("Bob")[0].id
    assert "Delete<span" not in show(site, "Bob").text
    refused = send(site, "photos/delete", "Bob", people.version("Bob"), photo=photo)
    assert refused.status_code == 422 and "left without any photo" in refused.text
    foreign = send(site, "photos/delete", "Bob", people.version("Bob"), photo=people.photos("Ann")[0].id)
    assert foreign.status_code == 404 and len(people.photos("Ann")) == 4


def test_erasing_asks_for_the_name_and_gives_a_receipt(site, window, people):
    with window.open(address(site, "Bob")) as opened:
        page = opened.page
        page.get_by_role("button", name="Erase for good").click()
        dialog = page.get_by_role("dialog", name="Erase Bob for good?")
        dialog.get_by_label("Type the name to confirm").fill("bob")
        dialog.get_by_role("button", name="Erase").click()
        expect(dialog.get_by_role("alert")).to_contain_text("That is not the name of this person")
        assert "Bob" in people.names()
        dialog.get_by_label("Type the name to confirm").fill("Bob")
        dialog.get_by_role("button", name="Erase").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Erased: Bob")
        receipt = page.locator("#receipt").text_content()
        faultless(opened, but=["422"])
        opened.photograph("person-erased-1440-light")
    [entry] = site.services.database.audit.entries(action="person.erase", limit=1)
    assert entry.details["receipt"] in receipt and people.names() == {"Ann"}


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_works_on_every_action_and_is_only_text(site, people, portraits, name):
    def done(action, of, **fields):
        answer = send(site, action, of, people.version(of), **fields)
        assert answer.status_code == 303, (action, answer.text)
        return requests.get(site.url + answer.headers["location"], headers=BROWSER, timeout=10).text

    shown = done("rename", "Bob", new_name=name)
    assert f"<h1><bdi>{escape(name)}</bdi></h1>" in shown
    added = requests.post(
        f"{site.url}/person/photos", params={"name": name}, files=photo_files(portraits.biden), timeout=10
    )
    assert added.status_code == 201 and added.json()["person"]["name"] == name
    newest = people.photos(name)[-1].id
    crop = requests.get(f"{site.url}/person/crop", {"name": name, "photo": newest}, timeout=10)
    assert crop.content.startswith(b"\x89PNG")
    done("metadata", name, metadata='{"a": 1}')
    done("photos/delete", name, photo=newest)
    moved = done("move", "Ann", photo=[photo.id for photo in people.photos("Ann")][:2], move_to=name)
    assert f"<bdi>{escape(name)}</bdi></a>" in moved
    done("merge", name, other="Ann")
    assert people.names() == {name} and len(people.photos(name)) == 5
    listed = done("delete", name)
    assert people.names() == set() and f"<bdi>{escape(name)}</bdi> was deleted" in listed
    assert "<script>alert" not in shown + moved + listed
    token = re.search(r'name="token" value="(\w+)"', listed)[1]
    back = requests.post(f"{site.url}/people/undo", {"token": token}, headers=BROWSER, timeout=10)
    assert back.status_code == 200 and people.gallery.person(name).metadata == {"a": 1}


def test_hostile_names_are_shown_and_followed_in_a_browser(site, window, people, known, portraits):
    people.gallery.add_many(dict.fromkeys(NAMES, known[3:]))
    with window.open(f"{site.url}/people", width=390) as opened:
        page = opened.page
        shown = page.locator(".faces .name").all_text_contents()
        assert sorted(shown) == sorted([*NAMES, "Ann", "Bob"]) and opened.overflow == 0
        opened.photograph("people-hostile-390-light")
        for name in (NAMES[5], ".."):
            page.goto(f"{site.url}/people")
            page.locator(".faces .name").get_by_text(name, exact=True).click()
            expect(page.locator("h1")).to_have_text(name)
            assert opened.overflow == 0
        page.get_by_label("Choose photos").set_input_files([as_file(portraits.biden, "more.png")])
        expect(page.locator("#person").get_by_role("listitem")).to_have_count(2)
        assert opened.problems == []


def test_a_name_that_nobody_has_is_an_error_page(site, people):
    assert show(site, "Nobody").status_code == 404 and "<h1>Unknown person</h1>" in show(site, "Nobody").text
    for name in (" ", "a\nb", "x" * 300, "x" * 2000):
        assert show(site, name).status_code == 422
    assert show(site, "").url == f"{site.url}/people"  # as where another gallery is chosen
    answer = send(site, "rename", "Nobody", people.version("Ann"), new_name="x")
    assert answer.status_code == 404


ACTIONS = ("rename", "metadata", "merge", "move", "photos/delete", "photos", "delete")


def test_who_may_only_read_sees_nothing_to_change_and_is_refused(guarded, portraits):  # noqa: F811
    guarded.as_("enrol").enrol("Ann", cv2.imencode(".png", portraits.obama)[1].tobytes())
    guarded.as_("enrol").ask("PATCH", "people/Ann", json={"metadata": {"team": "A"}})
    ask = guarded.client.request

    def headers(role):
        return guarded.as_(role).headers | BROWSER

    for path in ("/people", "/person?name=Ann"):
        page = ask("GET", path, headers=headers("read")).text
        assert "Ann" in page and not re.search(
            r"action=./person/|action=./people/|<dialog|type=.file|<textarea|checkbox", page
        )
    assert "team" in page
    enrolling, ruling = (ask("GET", "/person?name=Ann", headers=headers(role)).text for role in ("enrol", "admin"))
    assert "Delete the person" in enrolling and "Erase for good" not in enrolling and "Erase for good" in ruling
    version = re.search(r"name=\"version\" value='&#34;([\d-]+)&#34;'", enrolling)[1]
    form = {"version": f'"{version}"', "new_name": "x", "other": "x", "move_to": "x", "photo": "1", "typed_name": "Ann"}
    for role, actions in (("read", (*ACTIONS, "erase")), ("enrol", ("erase",))):
        for action in actions:
            answer = ask("POST", f"/person/{action}?name=Ann", data=form, headers=headers(role))
            assert answer.status_code == 403, action
    assert ask("POST", "/people/undo", data={"token": "x"}, headers=headers("read")).status_code == 403
    assert guarded.as_("read").names() == ["Ann"]
