"""What a program may send as a picture: only a file that gradio keeps for it, and nothing else of this machine."""

import pytest

from wino_viz.pictures import PictureError
from wino_viz.ui.page import _picture_of


@pytest.mark.parametrize("path", ["/etc/passwd", "a\0b", "a" * 5000, "..", "", None, 3])
def test_a_path_that_is_not_of_an_uploaded_picture_is_no_file(path):
    with pytest.raises(PictureError, match=r"^There is no such file\.$"):
        _picture_of({"path": path})
