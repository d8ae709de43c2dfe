/* Draw boxes of persons on the uploaded image of demo/web.py: drag on the image for a new box, drag a box to move it,
   double-click a box to remove it. The boxes are kept as text in the field "box", one "left top right bottom" each,
   separated by semicolons, so that typed boxes are shown too. */
(() => {
  const LEAST = 4; // screen pixels; a shorter drag is a click
  const field = () => document.querySelector('#box textarea, #box input');

  const read = () => (field()?.value || '').split(/[;\n]/).map(part => part.trim().split(/[\s,]+/).map(Number))
    .filter(box => box.length === 4 && box.every(Number.isFinite));

  function write(boxes, predict) {
    const text = boxes.map(box => box.map(Math.round).join(' ')).join('; ');
    const prototype = field().tagName === 'TEXTAREA' ? HTMLTextAreaElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(prototype.prototype, 'value').set.call(field(), text);
    field().dispatchEvent(new Event('input', {bubbles: true}));
    // when the field's new value has reached the page's state
    if (predict) setTimeout(() => document.querySelector('#find').click(), 50);
  }

  /* Offset of the image within its layer, and screen pixels of a pixel of the file. */
  function geometry(image) {
    const scale = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
    return {
      scale,
      left: (image.clientWidth - scale * image.naturalWidth) / 2,
      top: (image.clientHeight - scale * image.naturalHeight) / 2,
    };
  }

  function draw(layer, image, boxes) {
    const {scale, left, top} = geometry(image);
    Object.assign(layer.style, {
      left: `${image.offsetLeft}px`, top: `${image.offsetTop}px`,
      width: `${image.clientWidth}px`, height: `${image.clientHeight}px`,
    });
    layer.replaceChildren(...boxes.map((box, index) => {
      const shape = document.createElement('div');
      shape.className = 'person-box';
      shape.dataset.number = index + 1;
      Object.assign(shape.style, {
        left: `${left + scale * box[0]}px`, top: `${top + scale * box[1]}px`,
        width: `${scale * (box[2] - box[0])}px`, height: `${scale * (box[3] - box[1])}px`,
      });
      return shape;
    }));
  }

  function listen(layer, image) {
    const inside = (value, most) => Math.min(Math.max(value, 0), most);
    const place = event => {
      const {scale, left, top} = geometry(image), area = layer.getBoundingClientRect();
      return [inside((event.clientX - area.left - left) / scale, image.naturalWidth),
              inside((event.clientY - area.top - top) / scale, image.naturalHeight)];
    };
    const found = ([x, y], boxes) => boxes.findLastIndex(([a, b, c, d]) => a <= x && x <= c && b <= y && y <= d);
    let drag = null;
    layer.addEventListener('pointerdown', event => {
      const start = place(event), boxes = read();
      drag = {start, boxes, moved: found(start, boxes), at: [event.clientX, event.clientY], now: boxes};
      layer.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    layer.addEventListener('pointermove', event => {
      if (!drag) {
        layer.style.cursor = found(place(event), read()) < 0 ? 'crosshair' : 'move';
        return;
      }
      const [x, y] = place(event), [x0, y0] = drag.start;
      drag.now = drag.moved < 0
        ? [...drag.boxes, [Math.min(x, x0), Math.min(y, y0), Math.max(x, x0), Math.max(y, y0)]]
        : drag.boxes.map((b, i) => i === drag.moved ? [b[0] + x - x0, b[1] + y - y0, b[2] + x - x0, b[3] + y - y0] : b);
      draw(layer, image, drag.now);
    });
    layer.addEventListener('pointerup', event => {
      if (!drag) return;
      const [dx, dy] = [event.clientX - drag.at[0], event.clientY - drag.at[1]].map(Math.abs);
      if (drag.moved < 0 ? Math.min(dx, dy) >= LEAST : Math.max(dx, dy) >= LEAST) write(drag.now, true);
      drag = null;
      draw(layer, image, read());
    });
    layer.addEventListener('dblclick', event => {
      const boxes = read(), index = found(place(event), boxes);
      if (index >= 0) write(boxes.filter((_, i) => i !== index), true);
      draw(layer, image, read());
    });
  }

  function update() {
    const image = document.querySelector('#upload img');
    if (!image || !image.naturalWidth || !field()) return;
    const parent = image.parentElement, text = `${field().value}|${image.src}|${image.clientWidth}|${image.clientHeight}`;
    let layer = parent.querySelector(':scope > .person-boxes');
    if (!layer) {
      layer = document.createElement('div');
      layer.className = 'person-boxes';
      parent.style.position = 'relative';
      parent.append(layer);
      listen(layer, image);
    }
    if (layer.dataset.drawn !== text) {
      layer.dataset.drawn = text;
      draw(layer, image, read());
    }
  }

  setInterval(update, 200); // gradio replaces elements as it likes
})();
