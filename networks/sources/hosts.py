"""Files on the web: any address, GitHub repositories and releases, Hugging Face."""

from urllib.parse import quote

from networks.sources.delivery import Delivery
from networks.sources.forms import FileName, FilePath, Repository, Revision, Url
from networks.sources.http import download


def url(delivery: Delivery, url: Url) -> None:
    """Any http or https address."""
    download(url, delivery)


def github(delivery: Delivery, repo: Repository, commit: Revision, path: FilePath) -> None:
    """A file of a GitHub repository at a commit."""
    download(f"https://raw.githubusercontent.com/{repo}/{commit}/{quote(path)}", delivery)


def github_release(delivery: Delivery, repo: Repository, tag: Revision, asset: FileName) -> None:
    """A file attached to a GitHub release."""
    download(f"https://github.com/{repo}/releases/download/{tag}/{quote(asset)}", delivery)


def huggingface(delivery: Delivery, repo: Repository, revision: Revision, path: FilePath) -> None:
    """A file of a Hugging Face repository at a revision (a commit or a branch)."""
    download(f"https://huggingface.co/{repo}/resolve/{revision}/{quote(path)}", delivery)
