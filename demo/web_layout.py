"""Layout and server of the demo's page: everything that needs gradio. The results come from ``web_page``.

The server listens on 127.0.0.1 only, answers to no other host name and refuses requests that another site's page sends
(by their ``Origin``), so that neither other machines nor other sites in the same browser can use it. The page loads
nothing from elsewhere, which its Content-Security-Policy enforces, and gradio's telemetry is off.
"""

from __future__ import annotations

import html
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.update(GRADIO_ANALYTICS_ENABLED='False', HF_HUB_DISABLE_TELEMETRY='1')

import gradio as gr
import web_page
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from uploads import Limits, read_upload
from web_report import counted, nothing_drawn

from posestructs.utils.usage import UsageError

BOXES = Path(__file__).with_name('web_boxes.js')
HOST = '127.0.0.1'
HOSTS = [HOST, 'localhost']
# gradio's page has inline scripts and styles
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    b'content-security-policy': POLICY.encode(),
    b'x-content-type-options': b'nosniff',
    b'referrer-policy': b'no-referrer',
}
STYLE = """
#message p {padding: .4em .8em; border-left: 4px solid #2e7d32}
#message p.bad {border-color: #c62828}
.person-boxes {position: absolute; cursor: crosshair; touch-action: none; overflow: hidden}
.person-box {position: absolute; box-sizing: border-box; border: 2px solid var(--person); pointer-events: none}
.person-box::before {
    content: attr(data-number); background: var(--person); color: black; padding: 0 .4em; font-size: 12px
}
""" + '\n'.join(
    f'.person-box:nth-child({len(web_page.COLORS)}n + {i}) {{--person: rgb{color}}}'
    for i, color in enumerate(web_page.COLORS, 1)
)
INTRODUCTION = (
    '# posestructs\nDrop an image, of up to {megabytes:g} MB and {megapixels:g} megapixels. **Drag on it to draw a box '
    'around each person**; drag a box to move it, double-click it to remove it. Without a box a detector finds the '
    'persons (`--det-model`), or the whole image is taken as one person. A disc is a joint predicted visible, a ring '
    'one predicted occluded; a limb that ends in a ring is dashed. Several persons have a colour each. Nothing that '
    'you upload leaves this machine.'
)
HEATMAPS = 'Heatmap of each joint; the number is its maximum. All maps share one scale.'
OCCLUSION = (
    'Occlusion map of each joint, high where the joint is predicted occluded; the number is its maximum. All maps '
    'share one scale.'
)
NO_OCCLUSION = 'This model does not predict occlusion.'
MESSAGES = (
    'Effect of the messages between neighbouring joints (Chu et al., *Structured Feature Learning for Pose '
    'Estimation*, CVPR 2016). Choose a joint to see the effect of each of its neighbours.'
)
NO_MESSAGES = 'This model passes no messages between parts (`TreeMessagePassing` or `ResidualMessagePassing`).'
WHOLE_IMAGE = 'The whole image was taken as one person: draw a box around each person if it shows more, or a small one.'


class SameOrigin:
    """ASGI middleware that refuses requests from pages of other sites; browsers name the site in ``Origin``."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        headers = dict(scope.get('headers') or ())
        origin, own = headers.get(b'origin'), b'http://' + headers.get(b'host', b'')
        if (origin is None or origin == own) and headers.get(b'sec-fetch-site') != b'cross-site':
            await self.app(scope, receive, send)
        elif scope['type'] == 'websocket':
            await send(dict(type='websocket.close', code=1008))
        else:
            await PlainTextResponse('requests from other sites are refused', 403)(scope, receive, send)


class Headers:
    """ASGI middleware that adds headers to every response."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        async def send_more(message: dict) -> None:
            if message['type'] == 'http.response.start':
                message = {**message, 'headers': [*message['headers'], *HEADERS.items()]}
            await send(message)

        await self.app(scope, receive, send_more)


class Handlers:
    """Event handlers of the page.

    Args:
        models: Inferencers by name, with ``about``, a sentence for each name.
        limits: Largest upload.
    """

    def __init__(self, models: Mapping[str, Any], limits: Limits) -> None:
        self.models, self.limits = models, limits

    def predict(self, path: str | None, model: str, boxes: str, threshold: float, part: str | None) -> tuple:
        """Predict: values of the components that ``build_page`` lists as results."""
        if path is None:
            return _nothing('')
        try:
            image = read_upload(path, self.limits)
            inferencer, corners = self.models[model], web_page.parse_boxes(boxes)
            started = time.perf_counter()
            found = web_page.answer(inferencer, image, corners, threshold)
        except UsageError as error:
            return _nothing(_message(str(error), bad=True))
        seconds, about = time.perf_counter() - started, self.models.about[model].rstrip('.')
        report = [
            f'{counted(found.persons)} in {seconds:.2f} s. Model: {about}.',
            *nothing_drawn(found.persons, threshold),
        ]
        if not corners and inferencer.detector is None and found.persons:
            report.append(WHOLE_IMAGE)
        parts = web_page.messaging_parts(inferencer) if found.persons else []
        boxes = [' '.join(map(str, person['box'])) for person in found.persons]
        return (
            _message(*report),
            found.pose,
            found.heatmaps,
            NO_OCCLUSION if found.occlusion is None else OCCLUSION,
            found.occlusion,
            MESSAGES if parts else NO_MESSAGES if found.persons else '',
            _choice(
                [(str(number), box) for number, box in enumerate(boxes, 1)], visible=len(boxes) > 1 and bool(parts)
            ),
            _choice([(name.replace('_', ' '), name) for name in parts], visible=bool(parts), value=part),
            _table(found.rows),
            gr.DownloadButton(value=_json_file(model, image.shape, found.persons), interactive=True),
        )

    def messages(self, path: str | None, model: str, box: str | None, part: str | None) -> Any:
        """Draw the messages; ``None`` if the model has none, or if the upload was refused."""
        if path is None or part is None or box is None:
            return None
        try:
            image, inferencer = read_upload(path, self.limits), self.models[model]
            if part not in web_page.messaging_parts(inferencer):
                return None
            return web_page.message_image(inferencer, image, part, *web_page.parse_boxes(box))
        except UsageError:  # reported by predict
            return None


def _nothing(message: str) -> tuple:
    """Return values of :meth:`Handlers.predict` without a result."""
    file = gr.DownloadButton(value=None, interactive=False)
    return message, None, None, '', None, '', _choice([]), _choice([]), _table([]), file


def _table(rows: list[list]) -> dict[str, list]:
    """Value of the table, without the columns that no row fills."""
    filled = [i for i, _ in enumerate(web_page.COLUMNS) if not rows or any(row[i] is not None for row in rows)]
    return dict(headers=[web_page.COLUMNS[i] for i in filled], data=[[row[i] for i in filled] for row in rows])


def _choice(choices: list[tuple[str, str]], visible: bool = False, value: str | None = None) -> gr.Dropdown:
    """A dropdown with other choices, (label, value) each; the first is chosen unless ``value`` is one of them."""
    values = [value for _, value in choices]
    chosen = value if value in values else values[0] if values else None
    return gr.Dropdown(choices=choices, value=chosen, visible=visible)


def _message(*sentences: str, bad: bool = False) -> str:
    text = ' '.join(map(html.escape, sentences))
    return f'<p role="{"alert" if bad else "status"}" class="{"bad" if bad else "good"}">{text}</p>'


def _json_file(model: str, shape: tuple[int, ...], persons: list[dict]) -> str:
    """Write the file for download, in the folder that is deleted at the end."""
    content = dict(model=model, width=shape[1], height=shape[0], people=persons)
    file = Path(tempfile.mkdtemp(dir=os.environ['GRADIO_TEMP_DIR']), 'joints.json')
    file.write_text(json.dumps(content, indent=1) + '\n')
    return str(file)


def _image(name: str) -> gr.Image:
    """An image without gradio's label, which would cover its corner."""
    buttons = ['download', 'fullscreen']
    return gr.Image(elem_id=name, show_label=False, format='png', interactive=False, buttons=buttons)


def build_page(models: Mapping[str, Any], limits: Limits, threshold: float) -> gr.Blocks:
    """Lay out the page.

    Args:
        models: Inferencers by name, with ``about``, a sentence, and ``labels``, a readable name, for each name.
        limits: Largest upload.
        threshold: Initial value of the slider.

    Returns:
        The page.
    """
    handlers, names = Handlers(models, limits), [(label, name) for name, label in models.labels.items()]
    # files older than an hour are deleted every ten minutes
    with gr.Blocks(title='posestructs', analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(INTRODUCTION.format(**limits._asdict()))
        with gr.Row():
            with gr.Column(scale=1):
                upload = gr.Image(
                    label='Image',
                    show_label=False,  # it would cover a corner
                    elem_id='upload',
                    sources=['upload', 'clipboard'],
                    buttons=[],
                )
                # the file as it was uploaded: read_upload validates it and reports errors in the page
                upload.preprocess = lambda payload: payload and payload.path
                model = gr.Dropdown(names, value=names[0][1], label='Model', elem_id='model')
                box = gr.Textbox(
                    label='Boxes of persons',
                    info='left top right bottom, in pixels; a semicolon begins the next person',
                    elem_id='box',
                    max_lines=1,
                )
                kpt_thr = gr.Slider(
                    0,
                    1,
                    threshold,
                    step=0.05,
                    label='Draw joints from',
                    info='probability that the joint is right; for a model without a calibration its raw score',
                    elem_id='threshold',
                )
                button = gr.Button('Find the pose', variant='primary', elem_id='find')
            with gr.Column(scale=2):
                message = gr.Markdown(elem_id='message')
                with gr.Tab('Pose'):
                    pose = _image('pose')
                with gr.Tab('Heatmaps'):
                    gr.Markdown(HEATMAPS)
                    heatmaps = _image('heatmaps')
                with gr.Tab('Occlusion'):
                    occlusion_note = gr.Markdown(elem_id='occlusion-note')
                    occlusion = _image('occlusion')
                with gr.Tab('Messages'):
                    messages_note = gr.Markdown(elem_id='messages-note')
                    with gr.Row():
                        person = gr.Dropdown([], label='Person', elem_id='person', visible=False)
                        part = gr.Dropdown([], label='Joint', elem_id='part', visible=False)
                    messages = _image('messages')
                with gr.Tab('Joints'):
                    table = gr.Dataframe(
                        headers=list(web_page.COLUMNS), interactive=False, elem_id='table', max_height=640
                    )
                    file = gr.DownloadButton('Download joints.json', interactive=False, elem_id='json')
        results = [message, pose, heatmaps, occlusion_note, occlusion, messages_note, person, part, table, file]
        # a later choice is never lost: it is handled after the one before
        last = dict(trigger_mode='always_last', api_visibility='private')
        # a dropdown sends input again when it is left, an upload when it is cleared
        triggers = [upload.input, model.change, button.click, box.submit, kpt_thr.release]
        done = gr.on(triggers, handlers.predict, [upload, model, box, kpt_thr, part], results, **last)
        done.then(handlers.messages, [upload, model, person, part], messages, api_visibility='private')
        for choice in (person, part):
            choice.input(handlers.messages, [upload, model, person, part], messages, **last)
        upload.clear(lambda: '', None, box, api_visibility='private')  # the boxes belong to the image
    return page


@contextmanager
def serving(page: gr.Blocks, limits: Limits, port: int | None) -> Iterator[str]:
    """Serve a page to this machine.

    Args:
        page: Page from :func:`build_page`.
        limits: Largest upload.
        port: ``None`` for the first free one from 7860.

    Yields:
        The address.

    Raises:
        UsageError: The port is not free.
    """
    # gradio checks at this machine's own address whether the server is up; a proxy cannot reach it
    for key in ('NO_PROXY', 'no_proxy'):
        os.environ[key] = ','.join([*filter(None, [os.environ.get(key)]), *HOSTS])
    guards = [Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS), Middleware(SameOrigin), Middleware(Headers)]
    page.queue(default_concurrency_limit=4)  # a slow image does not hold up the others
    try:
        page.launch(
            server_name=HOST,
            server_port=port,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=int(limits.megabytes * 2**20),
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            num_workers=0,
            app_kwargs=dict(middleware=guards, docs_url=None, redoc_url=None, openapi_url=None),
            theme=gr.themes.Default(font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace']),
            css=STYLE,
            head=f'<script>{BOXES.read_text()}</script>',
        )
    except OSError as error:
        raise UsageError(f'--port {port or "from 7860"}: {str(error).splitlines()[0]}') from error
    try:
        yield page.local_url
    finally:
        page.close(verbose=False)
