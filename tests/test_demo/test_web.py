"""The demo's page: the real server and a real browser, and what the command refuses.

The browser is Debian's chromium with its driver, through selenium; where these or gradio are absent the tests that need
them are skipped.
"""

import importlib.util
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from demo import web_page
from posestructs.apis import PoseInferencer, shipped_models
from posestructs.datasets import StickFigureDataset
from tests.helpers import data_root, free_port, repo_root

pytestmark = pytest.mark.xdist_group('ports')
SCRIPT = repo_root() / 'demo' / 'web.py'
PATIENCE = 120  # seconds; what is waited for is there much sooner on a machine that does nothing else

ABSENT = [name for name in ('gradio', 'selenium') if importlib.util.find_spec(name) is None]
ABSENT += [name for name in ('chromium', 'chromedriver') if shutil.which(name) is None]
in_browser = pytest.mark.skipif(
    bool(ABSENT),
    reason=f'no {", no ".join(ABSENT)} (pip install -r requirements/demo.txt, apt install chromium chromium-driver)',
)

with_gradio = pytest.mark.skipif('gradio' in ABSENT, reason='no gradio (pip install -r requirements/demo.txt)')


# ---------------------------------------------------------------------------------------------------- the server


@pytest.fixture(scope='module')
def outside():
    """A proxy that nobody is to ask: whoever calls another machine comes by."""
    with socket.socket() as proxy:
        proxy.bind(('127.0.0.1', 0))
        proxy.listen()
        proxy.setblocking(False)
        yield proxy


@pytest.fixture(scope='module')
def server(apn, sfl, outside, tmp_path_factory):
    """The command as a user starts it, with two untrained models."""
    flags = ['--kpt-thr', 0, '--max-mb', 1, '--max-megapixels', 2]
    for files in (apn, sfl):
        flags += ['--config', files.config, '--checkpoint', files.checkpoint]
    with serving(tmp_path_factory.mktemp('server'), outside, *flags) as running:
        yield running


@contextmanager
def serving(folder, outside, *flags):
    """Run the command until the end of the block, or until its process is ended."""
    proxy = f'http://127.0.0.1:{outside.getsockname()[1]}'
    temporary = folder / 'tmp'
    temporary.mkdir()
    words = [sys.executable, SCRIPT, '--port', free_port(), *flags]
    env = {k: v for k, v in os.environ.items() if k.lower() != 'no_proxy' and not k.startswith('GRADIO')}
    env |= dict(TMPDIR=str(temporary), HTTP_PROXY=proxy, HTTPS_PROXY=proxy, http_proxy=proxy, https_proxy=proxy)
    # what a user may have set for other pages must not open this one
    env |= dict(GRADIO_SHARE='True', GRADIO_SERVER_NAME='0.0.0.0', GRADIO_ANALYTICS_ENABLED='True')
    with (folder / 'log').open('w+') as log:
        process = subprocess.Popen([str(w) for w in words], cwd=folder, env=env, stdout=log, stderr=log)
        try:
            address = wait_for(lambda: announced(folder / 'log', process), 5 * PATIENCE)
            yield SimpleNamespace(address=address, process=process, temporary=temporary, log=folder / 'log')
        finally:
            process.kill()
            process.wait()


def announced(log, process):
    text = log.read_text()
    assert process.poll() is None, text
    lines = [line for line in text.splitlines() if line.startswith('posestructs: http://')]
    return lines[0].split()[1] if lines else None


# of an element that the page has just replaced, covers or moves
UNSTEADY = {'StaleElementReferenceException', 'ElementClickInterceptedException', 'ElementNotInteractableException'}


def wait_for(condition, seconds=PATIENCE):
    """Wait until a condition holds; an element that the page has just replaced is looked up again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = condition()
        except Exception as error:
            if type(error).__name__ not in UNSTEADY:
                raise
            found = None
        if found:
            return found
        time.sleep(0.2)
    pytest.fail(f'waited {seconds} s in vain')


# --------------------------------------------------------------------------------------------------- the browser


class Page:
    """The page in a browser."""

    def __init__(self, driver, downloads):
        self.driver, self.downloads = driver, downloads

    def all(self, selector):
        return self.driver.find_elements('css selector', selector)

    def one(self, selector):
        return wait_for(lambda: self.all(selector))[0]

    def read(self, selector, expression):
        """Values of an expression of each element ``e``, read at once: elements may be replaced at any time."""
        script = f'return [...document.querySelectorAll(arguments[0])].map(e => {expression})'
        return self.driver.execute_script(script, selector)

    def click(self, selector, text=''):
        """Click the first element that is shown, enabled and has the text, once there is one."""

        def clicked():
            for found in self.all(selector):
                if found.is_displayed() and found.is_enabled() and (not text or found.text == text):
                    found.click()
                    return True
            return False

        wait_for(clicked)

    def open(self, address):
        self.driver.get(address)
        self.one('#upload input[type=file]')

    def upload(self, file):
        """Drop a file in the place of the one that may be there."""
        remove = '#upload button[aria-label="Remove Image"]'
        if self.all(remove):
            self.click(remove)
            wait_for(lambda: not self.all('#upload img') and not self.message())
        self.one('#upload input[type=file]').send_keys(str(file))

    def message(self, kind='p'):
        """The message of the page."""
        return ' '.join(self.read(f'#message {kind}', 'e.innerText'))

    def wait_for_message(self, *parts, kind='p.good'):
        """Wait for a message that contains all parts."""
        wait_for(lambda: all(part in self.message(kind) for part in parts or ['.']))

    def tab(self, name):
        """Select a tab."""

        self.click('button[role=tab]', name)
        wait_for(lambda: name in self.read('button[role=tab][aria-selected=true]', 'e.innerText.trim()'))

    def text(self, selector, part):
        """Text of an element, once it contains a part."""
        return wait_for(lambda: next((text for text in self.read(selector, 'e.innerText') if part in text), None))

    def image(self, name):
        """Size of an image that is shown, once it is loaded."""

        def size():
            return next(iter(self.read(f'#{name} img', 'e.naturalWidth && [e.naturalWidth, e.naturalHeight]')), None)

        return tuple(wait_for(size))

    def source(self, name):
        """Address of an image, or None where there is none."""
        return next(iter(self.read(f'#{name} img', 'e.src')), None)

    def choose(self, name, label):
        """Choose from a dropdown."""
        from selenium.webdriver.common.keys import Keys

        field = wait_for(lambda: next((e for e in self.all(f'#{name} input') if e.is_displayed()), None))
        field.click()
        field.send_keys(Keys.CONTROL, 'a')
        field.send_keys(label, Keys.ENTER)

    def boxes(self):
        """Text of the boxes."""
        return self.read('#box textarea, #box input', 'e.value')[0]

    def drag(self, start, end):
        """Drag on the uploaded image, between pixels of the file."""
        from selenium.webdriver import ActionChains

        wait_for(lambda: self.all('#upload img ~ .person-boxes'))
        image = self.one('#upload img')
        scale = min(
            image.rect['width'] / image.get_property('naturalWidth'),
            image.rect['height'] / image.get_property('naturalHeight'),
        )
        middle = np.array([image.get_property('naturalWidth'), image.get_property('naturalHeight')]) / 2
        (x0, y0), (x1, y1) = (
            np.round(scale * (np.array(point) - middle)).astype(int).tolist() for point in (start, end)
        )
        actions = ActionChains(self.driver).move_to_element_with_offset(image, x0, y0).click_and_hold()
        actions.move_by_offset((x1 - x0) // 2, (y1 - y0) // 2)
        actions.move_to_element_with_offset(image, x1, y1).release().perform()

    def download(self, selector):
        """Click, and read the file that comes."""
        before = set(self.downloads.iterdir())
        self.click(selector)

        def finished():
            new = [file for file in set(self.downloads.iterdir()) - before if file.suffix in ('.png', '.json')]
            return new[0] if new and new[0].stat().st_size else None

        return wait_for(finished).read_bytes()


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    from selenium import webdriver

    downloads = tmp_path_factory.mktemp('downloads')
    options = webdriver.ChromeOptions()
    quiet = ('--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run')
    for flag in ('--headless=new', '--window-size=1400,1400', '--disable-dev-shm-usage', *quiet):
        options.add_argument(flag)
    if os.getuid() == 0:  # chromium's sandbox is not for root
        options.add_argument('--no-sandbox')
    options.add_experimental_option('prefs', {'download.default_directory': str(downloads)})
    options.set_capability('goog:loggingPrefs', dict(performance='ALL', browser='ALL'))
    # named, or selenium looks for one on the net
    service = webdriver.ChromeService(shutil.which('chromedriver'))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_page_load_timeout(2 * PATIENCE)
        yield Page(driver, downloads)
    finally:
        driver.quit()


@pytest.fixture
def page(browser, server):
    """The page as a visitor finds it, whatever other tests did before."""
    browser.open(server.address)
    return browser


@pytest.fixture(scope='module')
def photo(tmp_path_factory):
    """A photograph where there is one, else a drawn person."""
    photos = sorted((data_root() / 'mpii-sample' / 'images').glob('*.jpg'))
    if photos:
        return photos[0]
    file = tmp_path_factory.mktemp('drawn') / 'person.png'
    drawn = StickFigureDataset(num_samples=1, image_size=256, pipeline=[])
    cv2.imwrite(str(file), drawn[0]['img'])
    return file


@in_browser
def test_a_picture_gives_a_skeleton(page, photo, inferencer):
    page.upload(photo)
    page.wait_for_message('1 person in', 'apn.py', 'The whole image was taken as one person')
    drawn = cv2.imdecode(
        np.frombuffer(page.download('#pose button[aria-label="Download"]'), np.uint8), cv2.IMREAD_COLOR
    )
    page.tab('Joints')
    table = page.text('#table', 'right_wrist')
    assert 'occluded' in table and 'correct' not in table and 'present' not in table
    reported = json.loads(page.download('button#json'))

    image = cv2.imread(str(photo))
    assert drawn.shape == image.shape and (reported['width'], reported['height']) == image.shape[1::-1]
    (person,) = reported['people']
    joints = np.array([[joint['x'], joint['y']] for joint in person['joints']])
    changed = np.abs(drawn.astype(int) - image).max(axis=2) > 30
    assert_drawn_at(changed, joints)
    # what was drawn is the answer of the model that was chosen, to the pixel
    expected = web_page.answer(inferencer, image, threshold=0)
    assert reported['model'] == 'apn' and reported['people'] == expected.persons
    np.testing.assert_array_equal(drawn[..., ::-1], expected.pose)


def assert_drawn_at(changed, joints):
    """A disc covers its joint, a ring goes around it; far from joints and limbs nothing is drawn."""
    height, width = changed.shape
    inside = (joints > 0).all(axis=1) & (joints < [width, height]).all(axis=1)
    assert inside.sum() >= 5  # an untrained model puts some beside the image
    joints = joints[inside]
    radius = round(1.5 * np.sqrt(changed.size) / 75) + 2
    for x, y in np.round(joints).astype(int):
        around = changed[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
        assert around.mean() > 0.1, (x, y)
    assert 0 < changed.mean() < 0.3


@in_browser
def test_the_other_images(page, photo):
    """Maps of both kinds, and for a model with messages these."""
    page.upload(photo)
    page.wait_for_message('apn.py')
    page.tab('Heatmaps')
    width, height = page.image('heatmaps')
    assert width > 5 * 64 and height > 3 * 64
    page.tab('Occlusion')
    assert page.image('occlusion') == (width, height)
    page.tab('Messages')
    page.text('#messages-note', 'passes no messages')

    page.choose('model', 'sfl')
    page.wait_for_message('sfl.py')
    page.text('#messages-note', 'CVPR 2016')
    first = wait_for(lambda: page.source('messages'))
    assert page.image('messages')[0] > 600
    page.choose('part', 'right elbow')
    wait_for(lambda: page.source('messages') not in (None, first))
    page.tab('Occlusion')
    page.text('#occlusion-note', 'does not predict occlusion')
    assert not page.all('#occlusion img')


@in_browser
def test_the_shipped_model(page):
    """It has a readable name, shows its messages, and says when no joint reaches the threshold."""
    from selenium.webdriver.common.keys import Keys

    shipped = next(iter(shipped_models().values()))
    label = shipped.about.partition(':')[0].partition(',')[0]
    page.upload(repo_root() / 'demo' / 'images' / 'walk.jpg')
    page.wait_for_message('apn.py')
    page.choose('model', label)
    page.wait_for_message(shipped.about, 'The whole image was taken as one person')  # though predicted again closer
    assert label in page.read('#model input', 'e.value')[0]
    page.tab('Messages')
    page.text('#messages-note', 'CVPR 2016')
    assert page.image('messages')[0] > 600
    threshold = page.one('#threshold input[type=number]')
    threshold.send_keys(Keys.CONTROL, 'a')
    threshold.send_keys('1', Keys.TAB)
    page.wait_for_message('No joint has a', 'of at least 1: nothing is drawn')


@in_browser
def test_boxes_are_drawn_moved_and_removed(page, tmp_path):
    from selenium.webdriver import ActionChains

    cv2.imwrite(str(tmp_path / 'grey.png'), np.full((480, 450, 3), 128, np.uint8))
    page.upload(tmp_path / 'grey.png')
    page.wait_for_message('1 person')
    page.drag((30, 40), (230, 440))
    wait_for(lambda: page.boxes())
    page.drag((430, 440), (250, 60))  # from the lower right corner
    page.wait_for_message('2 persons')
    assert 'The whole image' not in page.message()
    page.drag((300, 200), (310, 180))
    expected = np.array([[30, 40, 230, 440], [260, 40, 440, 420]])
    wait_for(lambda: np.abs(numbers(page.boxes()) - expected).max() < 4)
    wait_for(lambda: page.read('.person-box', 'e.dataset.number') == ['1', '2'])
    page.tab('Joints')

    def predicted():
        persons = json.loads(page.download('button#json'))['people']
        return len(persons) == 2 and np.abs([person['box'] for person in persons] - expected).max() < 4

    wait_for(predicted)
    image = page.one('#upload img')
    ActionChains(page.driver).move_to_element_with_offset(image, 60, 0).double_click().perform()
    page.wait_for_message('1 person')
    assert np.abs(numbers(page.boxes()) - expected[:1]).max() < 4
    page.click('#upload button[aria-label="Remove Image"]')
    wait_for(lambda: not page.boxes())  # they belong to the image


def numbers(text):
    """(N, 4) boxes of a text."""
    return np.array([[float(word) for word in box.split()] for box in text.split(';')])


@in_browser
def test_bad_uploads_get_a_message(page, photo, tmp_path):
    page.upload(photo)
    page.wait_for_message('1 person')
    wait_for(lambda: page.source('pose'))
    text = tmp_path / 'picture.jpg'
    text.write_text('no picture\n' * 99)
    page.upload(text)
    page.wait_for_message('not a readable image, whatever its suffix. It looks like text.', kind='p.bad')
    wait_for(lambda: page.source('pose') is None)  # the answer before is not taken for this one's

    wide = tmp_path / 'wide.png'
    cv2.imwrite(str(wide), np.zeros((1500, 1500, 3), np.uint8))
    page.upload(wide)
    page.wait_for_message('1500 x 1500 pixels; at most 2 million are accepted', kind='p.bad')

    heavy = tmp_path / 'heavy.png'
    cv2.imwrite(str(heavy), np.random.default_rng(0).integers(0, 255, (700, 700, 3), np.uint8))
    assert heavy.stat().st_size > 2**20
    page.upload(heavy)
    wait_for(lambda: 'the maximum allowed size of ' in page.one('body').text)


@in_browser
def test_a_box_that_is_none_gets_a_message(page, photo):
    page.one('#box textarea, #box input').send_keys('9 9 9 20')
    page.upload(photo)
    page.wait_for_message('The box "9 9 9 20" has no size', kind='p.bad')
    assert page.source('pose') is None


@in_browser
def test_nothing_comes_from_elsewhere(page, server, outside, photo):
    """Neither page nor server asks for anything outside, and no policy is broken."""
    page.upload(photo)
    page.wait_for_message('1 person')
    for name in ('Heatmaps', 'Occlusion', 'Messages', 'Joints', 'Pose'):
        page.tab(name)
    page.image('pose')
    urls = []
    for entry in page.driver.get_log('performance'):
        event = json.loads(entry['message'])['message']
        if event['method'] == 'Network.requestWillBeSent':
            urls.append(urlsplit(event['params']['request']['url']))
    asked = {url.netloc for url in urls if url.scheme in ('http', 'https', 'ws', 'wss')}
    assert asked == {urlsplit(server.address).netloc}
    refused = [entry['message'] for entry in page.driver.get_log('browser') if 'Security Policy' in entry['message']]
    assert not refused
    with pytest.raises(BlockingIOError):  # nobody came
        outside.accept()


@with_gradio
def test_the_server_is_for_this_machine_only(server):
    """It listens on 127.0.0.1, takes no other name for its own, and keeps the size limit without a browser too."""
    port = urlsplit(server.address).port
    tables = [Path('/proc/net', name).read_text() for name in ('tcp', 'tcp6')]
    local = {line.split()[1] for table in tables for line in table.splitlines()}
    assert {address for address in local if address.endswith(f':{port:04X}')} == {f'0100007F:{port:04X}'}
    assert ask(server.address)[0] == 200
    assert ask(server.address, headers={'Host': 'elsewhere.example'})[0] == 400
    own = server.address.rstrip('/')
    assert ask(server.address, headers={'Origin': own})[0] == 200
    for headers in ({'Origin': 'https://elsewhere.example'}, {'Origin': 'null'}, {'Sec-Fetch-Site': 'cross-site'}):
        assert ask(server.address, headers=headers)[0] == 403
        files = list(server.temporary.rglob('*'))
        assert ask(server.address + 'gradio_api/upload', form(100), {**MULTIPART, **headers})[0] == 403
        assert list(server.temporary.rglob('*')) == files
    assert ask(server.address + 'gradio_api/upload', form(100), {**MULTIPART, 'Origin': own})[0] == 200
    code, answer = ask(server.address + 'gradio_api/upload', form(1_200_000), MULTIPART)
    assert code == 413, answer
    assert 'public' not in server.log.read_text()  # gradio's word for its share links


MULTIPART = {'Content-Type': 'multipart/form-data; boundary=x'}


def form(size):
    """An upload of zeros."""
    head = b'Content-Disposition: form-data; name="files"; filename="a.png"'
    return b'--x\r\n' + head + b'\r\n\r\n' + bytes(size) + b'\r\n--x--\r\n'


def ask(url, body=None, headers=None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, headers or {}), timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@with_gradio
def test_uploads_are_deleted_at_the_end(outside, tmp_path):
    with serving(tmp_path, outside) as server:
        (folder,) = server.temporary.glob('posestructs-web-*')
        assert ask(server.address + 'gradio_api/upload', form(100), MULTIPART)[0] == 200
        assert any(file.suffix == '.png' for file in folder.rglob('*'))
        server.process.send_signal(signal.SIGHUP)  # as a closed terminal does; SIGTERM is handled alike
        assert server.process.wait(PATIENCE) == 0, server.log.read_text()
        assert not list(server.temporary.glob('posestructs-web-*'))


# --------------------------------------------------------------------------------------------------- the command


@pytest.fixture
def run(monkeypatch):
    """The command in this process, up to its end."""

    def call(*flags):
        monkeypatch.setattr(sys, 'argv', [str(SCRIPT), *map(str, flags)])
        monkeypatch.setattr(sys, 'path', [*sys.path])  # it puts its folders there
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(SCRIPT), run_name='__main__')
        return str(stop.value)

    return call


def test_without_gradio_it_says_what_to_install(run, apn, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    message = run('--config', apn.config, '--checkpoint', apn.checkpoint)
    assert message.startswith('web.py: error: the page needs gradio') and 'pip install ".[demo]"' in message
    assert '\n' not in message


WITHOUT_GRADIO = """
import runpy, sys
sys.modules['gradio'] = None
runpy.run_module('posestructs', run_name='__main__')
"""


def test_it_finds_its_parts_from_any_folder(tmp_path):
    """As ``python -m posestructs web``, which runs the file as one of no folder."""
    env = {**os.environ, 'PYTHONPATH': str(repo_root())}
    command = [sys.executable, '-c', WITHOUT_GRADIO, 'web']
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=5 * PATIENCE)
    assert done.returncode == 1 and 'web_layout' not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        'posestructs web: error: the page needs gradio, which cannot be imported'
    )


def test_gradio_is_not_blamed_for_what_else_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, 'web_layout', None)
    monkeypatch.setattr(sys, 'argv', [str(SCRIPT)])
    monkeypatch.setattr(sys, 'path', [*sys.path])
    with pytest.raises(ImportError, match='web_layout'):
        runpy.run_path(str(SCRIPT), run_name='__main__')


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--port', '0'], '--port 0: allowed are 1 to 65535'),
        (['--max-mb', '0'], '--max-mb 0, allowed: above 0'),
        (['--max-megapixels', '-1'], '--max-megapixels -1, allowed: above 0'),
        (['--kpt-thr', '1.5'], '--kpt-thr 1.5: allowed are 0 to 1'),
    ],
)
def test_numbers_that_make_no_sense(run, flags, message):
    assert run(*flags) == f'web.py: error: {message}'


@with_gradio
def test_models_that_are_none(run, apn, sfl, tmp_path):
    assert '1 --config and 0 --checkpoint: give both' in run('--config', apn.config)
    assert 'no such file' in run('--config', apn.config, '--checkpoint', tmp_path / 'none.pth')
    # before a page is shown, not when somebody asks it
    assert 'does not match config' in run('--config', apn.config, '--checkpoint', sfl.checkpoint)


@with_gradio
def test_a_port_that_is_taken(run, apn):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = run('--config', apn.config, '--checkpoint', apn.checkpoint, '--port', port)
    assert message.startswith(f'web.py: error: --port {port}: Cannot find empty port'), message


def test_each_shipped_model_can_be_built():
    for name in shipped_models():
        assert PoseInferencer(name, device='cpu').model.dataset_meta['num_keypoints'] > 0
