"""Downloads from a server on this machine, whole or broken off."""

import http.server
import socket
import threading

import pytest

from posestructs.utils.downloads import DownloadError, cached_path, download

CONTENT = bytes(range(256)) * 9


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path.startswith('/gone'):
            self.send_error(404)
            return
        self.send_response(200)
        if not self.path.startswith('/unsized'):
            self.send_header('Content-Length', str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:100] if self.path.startswith('/cut') else CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture(scope='module')
def server():
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as running:
        running.requests = []
        running.address = f'http://127.0.0.1:{running.server_port}'
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.mark.parametrize('name', ['whole/a%20b.pth', 'unsized/a.pth?token=1'])
def test_a_file_is_downloaded_once(name, server):
    address = f'{server.address}/{name}'
    file = download(address)
    assert file.read_bytes() == CONTENT and file.name in ('a b.pth', 'a.pth')
    count = len(server.requests)
    assert download(address) == file and len(server.requests) == count
    assert list(file.parent.iterdir()) == [file]


def test_equal_names_of_two_addresses_stay_apart(cache):
    a, b = (cached_path(f'https://{host}/models/best.pth') for host in ('a.org', 'b.org'))
    assert a != b and a.name == b.name == 'best.pth'
    # a name with a hash of the content is the same file wherever it comes from: torch.hub's own place
    for name in ('resnet50-0676ba61.pth', 'td-hm_res50-04af38ce_20220923.pth'):
        assert cached_path(f'https://a.org/{name}') == cache / 'hub' / 'checkpoints' / name


def test_failures_are_network_failures_and_leave_nothing(server, cache):
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        closed = f'http://127.0.0.1:{unused.getsockname()[1]}/a.pth'
        cases = {
            closed: 'refused',
            f'{server.address}/gone.pth': 'HTTP 404',
            f'{server.address}/cut.pth': f'ended after 100 of {len(CONTENT)} bytes',
            'http://': 'could not be downloaded',
        }
        for address, message in cases.items():
            with pytest.raises(DownloadError, match=message) as error:
                download(address)
            assert str(error.value).startswith(f'{address} could not be downloaded') and '\n' not in str(error.value)
    assert not [file for file in cache.rglob('*') if file.is_file()]
