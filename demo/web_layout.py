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

from posestructs.utils.usage import UsageError

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
STYLE = '#message p {padding: .4em .8em; border-left: 4px solid #2e7d32} #message p.bad {border-color: #c62828}'
INTRODUCTION = (
    '# posestructs\nDrop an image of a person. A disc is a joint predicted visible, a ring one predicted '
    'occluded; a limb that ends in a ring is dashed. Without a box, and without a detector (mmdet), the whole image is '
    'taken as one person. Nothing that you upload leaves this machine.'
)
HEATMAPS = 'Heatmap of each joint, with its highest value. All maps share one scale.'
OCCLUSION = 'Map of each joint where it is occluded, with its highest value. All maps share one scale.'
NO_OCCLUSION = 'This model does not predict occlusion.'
NO_MESSAGES = 'This model passes no messages between parts (`TreeMessagePassing` with `PartScoreHead`).'


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

    def predict(self, path: str | None, model: str, box: str, threshold: float) -> tuple:
        """Predict: message, pose, heatmaps, occlusion note and maps, part, messages note, table and file."""
        if path is None:
            return _nothing('')
        try:
            image = read_upload(path, self.limits)
            inferencer, corners = self.models[model], web_page.parse_box(box)
            started = time.perf_counter()
            found = web_page.answer(inferencer, image, corners, threshold)
        except UsageError as error:
            return _nothing(_message(str(error), bad=True))
        seconds, count = time.perf_counter() - started, len(found.persons)
        parts = web_page.messaging_parts(inferencer)
        report = f'{count} {"person" if count == 1 else "persons"} in {seconds:.2f} s. {self.models.about[model]}'
        if count and not any(joint['score'] >= threshold for person in found.persons for joint in person['joints']):
            report += f' No joint has a score of at least {threshold:g}: nothing is drawn.'
        return (
            _message(report),
            found.pose,
            found.heatmaps,
            NO_OCCLUSION if found.occlusion is None else OCCLUSION,
            found.occlusion,
            _choice(parts),
            '' if parts else NO_MESSAGES,
            found.rows,
            gr.DownloadButton(value=_json_file(model, image.shape, found.persons), interactive=True),
        )

    def messages(self, path: str | None, model: str, box: str, part: str | None) -> Any:
        """Draw the messages; ``None`` if the model has none, or if the upload was refused."""
        if path is None or part is None:
            return None
        try:
            image, inferencer = read_upload(path, self.limits), self.models[model]
            if part not in web_page.messaging_parts(inferencer):
                return None
            return web_page.message_image(inferencer, image, part, web_page.parse_box(box))
        except UsageError:  # reported by predict
            return None


def _nothing(message: str) -> tuple:
    """Return values of :meth:`Handlers.predict` without a result."""
    return message, None, None, '', None, _choice([]), '', None, gr.DownloadButton(value=None, interactive=False)


def _choice(parts: list[str]) -> gr.Dropdown:
    return gr.Dropdown(choices=parts, value=parts[0] if parts else None, visible=bool(parts))


def _message(text: str, bad: bool = False) -> str:
    return f'<p role="{"alert" if bad else "status"}" class="{"bad" if bad else "good"}">{html.escape(text)}</p>'


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
        models: Inferencers by name, with ``about``, a sentence for each name.
        limits: Largest upload.
        threshold: Initial value: joints with a lower score are not drawn.

    Returns:
        The page.
    """
    handlers, names = Handlers(models, limits), list(models.about)
    # files older than an hour are deleted every ten minutes
    with gr.Blocks(title='posestructs', analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1):
                upload = gr.Image(
                    label=f'Image, up to {limits.megabytes:g} MB and {limits.megapixels:g} megapixels',
                    elem_id='upload',
                    sources=['upload', 'clipboard'],
                    buttons=[],
                )
                # the file as it was uploaded: read_upload validates it and reports errors in the page
                upload.preprocess = lambda payload: payload and payload.path
                model = gr.Dropdown(names, value=names[0], label='Model', elem_id='model')
                box = gr.Textbox(label='Box of a person: left top right bottom, in pixels', elem_id='box', max_lines=1)
                kpt_thr = gr.Slider(0, 1, threshold, step=0.05, label='Draw joints from this score')
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
                    part = gr.Dropdown([], label='Part', elem_id='part', visible=False)
                    messages = _image('messages')
                with gr.Tab('Joints'):
                    table = gr.Dataframe(headers=list(web_page.COLUMNS), interactive=False, elem_id='table')
                    file = gr.DownloadButton('Download joints.json', interactive=False, elem_id='json')
        results = [message, pose, heatmaps, occlusion_note, occlusion, part, messages_note, table, file]
        # a later choice is never lost: it is handled after the one before
        last = dict(trigger_mode='always_last', api_visibility='private')
        triggers = [upload.input, upload.clear, model.input, button.click, box.submit, kpt_thr.release]
        done = gr.on(triggers, handlers.predict, [upload, model, box, kpt_thr], results, **last)
        done.then(handlers.messages, [upload, model, box, part], messages, api_visibility='private')
        part.input(handlers.messages, [upload, model, box, part], messages, **last)
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
        )
    except OSError as error:
        raise UsageError(f'--port {port or "from 7860"}: {str(error).splitlines()[0]}') from error
    try:
        yield page.local_url
    finally:
        page.close(verbose=False)
