"""Images, videos and streams of a local http server: whole, cut, and what is none."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from posestructs.apis.image_sources import open_source
from posestructs.utils.usage import UsageError


class Files:
    """Answers by path: content type, body, and how much of the body is sent."""

    def __init__(self):
        self.answers = {}

    def add(self, path, kind, body, share=1.0):
        self.answers[path] = kind, body, share


def handler(files):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            kind, body, share = files.answers.get(self.path.partition('?')[0], (None, b'', 1))
            if kind is None:
                return self.send_error(404)
            wanted = self.headers.get('Range', '').removeprefix('bytes=').partition('-')
            first = int(wanted[0] or 0)
            self.send_response(206 if first else 200)
            self.send_header('Content-Type', kind)
            self.send_header('Accept-Ranges', 'bytes')
            if first:
                self.send_header('Content-Range', f'bytes {first}-{len(body) - 1}/{len(body)}')
            if not kind.startswith('multipart'):
                self.send_header('Content-Length', str(len(body) - first))
            self.end_headers()
            try:
                self.wfile.write(body[first : round(len(body) * share)])
            except (BrokenPipeError, ConnectionResetError):  # who asked for the type alone does not read on
                pass

        def log_message(self, *args):
            pass

    return Handler


@pytest.fixture
def files():
    return Files()


@pytest.fixture
def server(files, monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    http = ThreadingHTTPServer(('127.0.0.1', 0), handler(files))
    thread = threading.Thread(target=http.serve_forever, kwargs=dict(poll_interval=0.02))
    thread.start()
    yield f'http://127.0.0.1:{http.server_port}'
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def said(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield lambda: [record.getMessage() for record in caplog.records]
    logger.removeHandler(caplog.handler)


def make_video(path, count=40):
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (64, 48))
    for _ in range(count):
        writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    return path.read_bytes()


def test_a_video_by_its_suffix_or_its_type(server, files, tmp_path):
    body = make_video(tmp_path / 'v.mp4', 5)
    files.add('/v.mp4', 'application/octet-stream', body)
    files.add('/video', 'video/mp4', body)
    for address, name in (('/v.mp4?token=a.b', 'v.mp4'), ('/video', 'video')):
        source = open_source(server + address)
        assert source.is_video and not source.is_camera and (source.name, source.total, source.fps) == (name, 5, 10)
        frames = list(source.frames)
        assert [frame.number for frame in frames] == list(range(5))
        assert [frame.title for frame in frames[:2]] == ['frame 0', 'frame 1']


def test_an_image_by_its_suffix_or_its_type(server, files):
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    body = cv2.imencode('.png', image)[1].tobytes()
    files.add('/a.png', 'image/png', body)
    files.add('/photo', 'image/png', body)
    for address in ('/a.png', '/photo?id=3'):
        source = open_source(server + address)
        (frame,) = source.frames
        np.testing.assert_array_equal(frame.image, image)
        assert source.single and not source.is_video and frame.title == f'image {server}{address}'


def test_a_video_that_is_cut_gives_the_frames_before(server, files, tmp_path, said):
    files.add('/cut.mkv', 'video/x-matroska', make_video(tmp_path / 'v.mkv'), share=0.5)
    frames = list(open_source(f'{server}/cut.mkv').frames)
    assert 5 < len(frames) < 40 and all(frame.image is not None for frame in frames)
    assert said() == [f'video {server}/cut.mkv: only {len(frames)} of its 40 frames can be read']


def test_a_live_stream_that_ends(server, files, said, inferencer, tmp_path):
    """Motion JPEG, as network cameras send it; its frames up to the end are kept."""
    rng, body = np.random.default_rng(0), b''
    for _ in range(6):
        jpeg = cv2.imencode('.jpg', rng.integers(0, 256, (48, 64, 3), np.uint8))[1].tobytes()
        head = f'--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n'
        body += head.encode() + jpeg + b'\r\n'
    files.add('/camera', 'multipart/x-mixed-replace; boundary=frame', body)
    results = list(inferencer(f'{server}/camera', out_dir=tmp_path))
    assert 4 <= len(results) <= 6
    assert f'input {server}/camera ended after {len(results)} frames' in said()
    rows = json.loads((tmp_path / 'predictions/stream.json').read_text())
    assert [row['frame_id'] for row in rows] == list(range(len(results)))


def test_answers_that_are_no_video(server, files, tmp_path):
    files.add('/page.mp4', 'text/html', b'<html>sign in</html>')
    files.add('/broken.mp4', 'video/mp4', b'no video at all')
    with pytest.raises(UsageError, match='page.mp4: the server answers with text/html, allowed: a video'):
        open_source(f'{server}/page.mp4')
    with pytest.raises(UsageError, match='broken.mp4 cannot be read: OpenCV finds no frame in it'):
        open_source(f'{server}/broken.mp4')
    with pytest.raises(UsageError, match='gone.mp4: the server answers 404 Not Found'):
        open_source(f'{server}/gone.mp4')


@pytest.mark.parametrize('scheme, message', [('http', 'refused'), ('rtsp', 'the stream cannot be opened')])
def test_nobody_listens(scheme, message):
    with pytest.raises(UsageError, match=f'input {scheme}://127.0.0.1:9/live.*{message}'):
        open_source(f'{scheme}://127.0.0.1:9/live')
