// Tiles: a picture of any size through a file of one size, cut by the rule that the file keeps under `lpienas.tiles`.
// C++17, without a library. What is kept of each tile has seen all that it needs, so there are no seams.

#pragma once

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lpienas {

struct Rule {
    int radius;  // how far a block of stride x stride output pixels sees beyond itself
    int halo;    // what of a tile is thrown away on every side
    int stride;  // tiles begin and end at multiples of it
};

struct Size {
    int height;
    int width;
};

// Along one axis: pixels of a tile before those that are kept of it, and their first and end in the picture.
struct Spans {
    int before;
    std::vector<std::pair<int, int>> kept;
};

inline Spans spans(int length, int tile, const Rule& rule) {
    if (tile <= 2 * rule.halo) {
        if (length > tile)
            throw std::invalid_argument("a tile of " + std::to_string(tile) + " pixels cannot hold twice the halo");
        const int padded = (length + rule.stride - 1) / rule.stride * rule.stride;
        return {(tile - padded) / 2 / rule.stride * rule.stride, {{0, length}}};
    }
    Spans found{rule.halo, {}};
    const int kept = tile - 2 * rule.halo;
    for (int first = 0; first < length; first += kept)
        found.kept.push_back({first, std::min(first + kept, length)});
    return found;
}

// Which of `side` pixels stands at place `at`: outside is their reflection, back and forth, the edge not repeated.
inline int reflected(int at, int side) {
    if (side == 1) return 0;
    const int period = 2 * side - 2;
    const int place = (at % period + period) % period;
    return std::min(place, period - place);
}

// `image` enhanced: rows of pixels of three floats in [0, 1], red, green, blue, as `network` takes and gives them for
// a tile. A file whose layout is NCHW wants all of red first: let `network` turn the tile, and its answer back.
template <class Network>
std::vector<float> enhance(const std::vector<float>& image, Size size, Size tile, const Rule& rule, Network network) {
    const Spans rows = spans(size.height, tile.height, rule), columns = spans(size.width, tile.width, rule);
    std::vector<float> output(image.size());
    std::vector<float> given(static_cast<std::size_t>(tile.height) * tile.width * 3);
    for (const auto& [top, bottom] : rows.kept) {
        for (const auto& [left, right] : columns.kept) {
            for (int y = 0; y < tile.height; ++y) {
                const std::size_t row = reflected(top - rows.before + y, size.height);
                for (int x = 0; x < tile.width; ++x) {
                    const std::size_t column = reflected(left - columns.before + x, size.width);
                    const float* pixel = &image[(row * size.width + column) * 3];
                    std::copy(pixel, pixel + 3, &given[(static_cast<std::size_t>(y) * tile.width + x) * 3]);
                }
            }
            const std::vector<float> made = network(given);
            for (int y = top; y < bottom; ++y) {
                const std::size_t row = y - top + rows.before;
                const float* from = &made[(row * tile.width + columns.before) * 3];
                std::copy(from, from + (right - left) * 3, &output[(static_cast<std::size_t>(y) * size.width + left) * 3]);
            }
        }
    }
    return output;  // may lie a little outside [0, 1]: clip it
}

}  // namespace lpienas
