// Exact inference over a tree, one line after the other in linear time: what benchmarks/max_sum.py measures against.
//
// The transform is that of Felzenszwalb and Huttenlocher (Distance Transforms of Sampled Functions, 2012) for maxima,
// with an offset; it keeps the arguments of all maxima for back-tracking. Weights have to be above 0.

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

// Maxima over q of f(q) - w (q - x - o)^2 for x = 0, ..., n - 1: the upper envelope of n parabolas.
class Envelope {
 public:
  explicit Envelope(int size) : tops_(size), starts_(size + 1), halves_(size) {}

  void set_weight(int n, float w) {
    for (int d = 1; d < n; d++) halves_[d] = 1 / (2 * w * d);
  }

  void run(const float *f, int n, float w, float o, float *best, int step, int *where) {
    int last = 0;
    tops_[0] = 0, starts_[0] = -INFINITY, starts_[1] = INFINITY;
    for (int q = 1; q < n; q++) {
      float start;  // of the stretch of x in which the parabola of q is above that of p
      for (;; last--) {
        const int p = tops_[last];
        start = (f[p] - f[q]) * halves_[q - p] + 0.5f * (p + q) - o;
        if (start > starts_[last]) break;
      }
      last++;
      tops_[last] = q, starts_[last] = start, starts_[last + 1] = INFINITY;
    }
    last = 0;
    for (int x = 0; x < n; x++) {
      while (starts_[last + 1] < x) last++;
      const float d = tops_[last] - x - o;
      best[x * step] = f[tops_[last]] - w * d * d;
      where[x] = tops_[last];
    }
  }

 private:
  std::vector<int> tops_;
  std::vector<float> starts_, halves_;
};

}  // namespace

// scores: V x T x H x W. order: all parts from the leaves to the root. offsets, weights: V x T x (x, y).
// positions: V x (x, y), kinds: V. Returns the score.
extern "C" float max_sum(const float *scores, int parts, int types, int h, int w, const int *parents, const int *order,
                         const float *offsets, const float *weights, int *positions, int *kinds) {
  const int cells = h * w;
  Envelope envelope(h > w ? h : w);
  std::vector<float> told(static_cast<size_t>(parts) * cells), belief(cells), rows(cells), both(cells), best(cells);
  std::vector<int> xs(static_cast<size_t>(parts) * types * cells), ys(xs.size()), kind(told.size());
  for (int i = 0; i + 1 < parts; i++) {
    const int k = order[i];
    float *own = &told[k * cells], *parent = &told[parents[k] * cells];
    for (int t = 0; t < types; t++) {
      const size_t map = static_cast<size_t>(k) * types + t;
      const float *u = scores + map * cells, *o = offsets + map * 2, *d = weights + map * 2;
      for (int c = 0; c < cells; c++) belief[c] = u[c] + own[c];
      // rows: x (of the parent) by y; both: x by y, both of the parent
      envelope.set_weight(w, d[0]);
      for (int y = 0; y < h; y++) envelope.run(&belief[y * w], w, d[0], o[0], &rows[y], h, &xs[map * cells + y * w]);
      envelope.set_weight(h, d[1]);
      for (int x = 0; x < w; x++) envelope.run(&rows[x * h], h, d[1], o[1], &both[x * h], 1, &ys[map * cells + x * h]);
      for (int c = 0; c < cells; c++)
        if (t == 0 || both[c] > best[c]) best[c] = both[c], kind[k * cells + c] = t;
    }
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) parent[y * w + x] += best[x * h + y];
  }
  const int root = order[parts - 1];
  float score = -INFINITY;
  for (int t = 0; t < types; t++)
    for (int c = 0; c < cells; c++) {
      const float value = scores[(static_cast<size_t>(root) * types + t) * cells + c] + told[root * cells + c];
      if (value > score) score = value, kinds[root] = t, positions[2 * root] = c % w, positions[2 * root + 1] = c / w;
    }
  for (int i = parts - 2; i >= 0; i--) {
    const int k = order[i], px = positions[2 * parents[k]], py = positions[2 * parents[k] + 1];
    const size_t map = static_cast<size_t>(k) * types + kind[k * cells + px * h + py];
    const int y = ys[map * cells + px * h + py];
    kinds[k] = kind[k * cells + px * h + py];
    positions[2 * k] = xs[map * cells + y * w + px], positions[2 * k + 1] = y;
  }
  return score;
}
