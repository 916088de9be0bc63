// Hold: what a denoiser takes away is held to the noise of the picture, and weighed by what it makes of a little more
// noise, as `lpienas enhance --hold TIMES` does it. For a network `run`:
//
//     auto output = run(image);
//     const auto level = noise_level(image, output, height, width);
//     hold(image, output, height, width, level, 1.5);
//     const auto probed = probe(image, height, width, level);
//     auto answer = run(probed);
//     hold(probed, answer, height, width, level, 1.5);
//     weigh(image, output, probed, answer, height, width, level);
//
// Where the noise of the picture is known, its root mean square is told to noise_level, in [0, 1].
//
// C++17, without a library. Pictures are rows of pixels of three floats in [0, 1], red, green, blue.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace lpienas {

// Root mean square of the noise over brightness: black + slope * brightness, but at least `least`.
struct NoiseLevel {
    double black;
    double slope;
    double least;
    bool known;           // false: too little of the picture is neither black nor white
    double weight = 3.0;  // times its square, by which an update is weighed

    double at(double brightness) const { return std::max(least, black + slope * brightness); }
};

// Means over windows of 15x15 pixels, or what of them lies inside, one after the other along both axes.
inline std::vector<double> windows(const std::vector<double>& values, int height, int width) {
    const int reach = 7;
    const auto along = [&](const std::vector<double>& from, int lines, int length, int step, int line_step) {
        std::vector<double> to(from.size());
        for (int line = 0; line < lines; ++line) {
            const std::size_t start = static_cast<std::size_t>(line) * line_step;
            double sum = 0;
            for (int place = 0; place < std::min(reach, length); ++place)
                sum += from[start + static_cast<std::size_t>(place) * step];
            for (int place = 0; place < length; ++place) {
                if (place + reach < length) sum += from[start + static_cast<std::size_t>(place + reach) * step];
                if (place - reach > 0) sum -= from[start + static_cast<std::size_t>(place - reach - 1) * step];
                const int count = std::min(length - 1, place + reach) - std::max(0, place - reach) + 1;
                to[start + static_cast<std::size_t>(place) * step] = sum / count;
            }
        }
        return to;
    };
    return along(along(values, height, width, 1, width), width, height, width, 1);
}

// Brightness of `image` and root mean square of what `output` differs from it, in the window around every pixel.
inline std::pair<std::vector<double>, std::vector<double>> looks(
    const std::vector<float>& image, const std::vector<float>& output, int height, int width) {
    const std::size_t pixels = static_cast<std::size_t>(height) * width;
    std::vector<double> brightness(pixels), square(pixels);
    for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
        for (std::size_t at = pixel * 3; at < pixel * 3 + 3; ++at) {
            const double update = static_cast<double>(output[at]) - image[at];
            brightness[pixel] += image[at] / 3.0;
            square[pixel] += update * update / 3;
        }
    }
    brightness = windows(brightness, height, width);
    square = windows(square, height, width);
    for (double& one : square) one = std::sqrt(std::max(one, 0.0));
    return {brightness, square};
}

// The noise of a picture, by what the network took away in most places: the line of the least absolute distances. Where
// it is known, that line scaled to `noise`, its root mean square over the picture; 0: it is not known.
inline NoiseLevel noise_level(const std::vector<float>& image, const std::vector<float>& output, int height, int width,
                              double noise = 0) {
    const auto [brightness, size] = looks(image, output, height, width);
    std::vector<std::pair<double, double>> seen;
    for (int y = 0; y < height; y += 7) {
        for (int x = 0; x < width; x += 7) {
            const std::size_t at = static_cast<std::size_t>(y) * width + x;
            if (brightness[at] > 0.01 && brightness[at] < 0.99) seen.push_back({brightness[at], size[at]});
        }
    }
    const NoiseLevel flat{noise, 0, noise, true, 1.3};
    if (seen.size() < 64) return noise > 0 ? flat : NoiseLevel{0, 0, 0, false};
    double black = 0, slope = 0;
    std::vector<double> weights(seen.size(), 1.0);
    for (int round = 0; round < 20; ++round) {
        double n = 1e-9, b = 0, bb = 1e-9, s = 0, bs = 0;
        for (std::size_t i = 0; i < seen.size(); ++i) {
            const double w = weights[i], at = seen[i].first, of = seen[i].second;
            n += w, b += w * at, bb += w * at * at, s += w * of, bs += w * at * of;
        }
        const double determinant = n * bb - b * b;
        black = (s * bb - b * bs) / determinant;
        slope = (n * bs - b * s) / determinant;
        for (std::size_t i = 0; i < seen.size(); ++i)
            weights[i] = 1 / (std::abs(seen[i].second - black - slope * seen[i].first) + 1e-4);
    }
    const auto middle = seen.begin() + (static_cast<std::ptrdiff_t>(seen.size()) - 1) / 2;
    std::nth_element(seen.begin(), middle, seen.end(), [](auto one, auto other) { return one.second < other.second; });
    NoiseLevel level{black, slope, 0.5 * middle->second, true};
    if (noise <= 0) return level;
    double square = 0;
    for (const auto& one : seen) square += level.at(one.first) * level.at(one.first) / static_cast<double>(seen.size());
    if (std::sqrt(square) < 1e-5) return flat;
    const double times = noise / std::sqrt(square);
    return {black * times, slope * times, level.least * times, true, 1.3};
}

// `output`, no further from `image` in any window than `times` the noise there; 1.5 is what `lpienas enhance` has.
inline void hold(const std::vector<float>& image, std::vector<float>& output, int height, int width,
                 const NoiseLevel& level, double times) {
    if (!level.known) return;
    const auto [brightness, size] = looks(image, output, height, width);
    for (std::size_t at = 0; at < output.size(); ++at) {
        const double share = std::min(1.0, times * level.at(brightness[at / 3]) / std::max(size[at / 3], 1e-9));
        output[at] = static_cast<float>(image[at] + (static_cast<double>(output[at]) - image[at]) * share);
    }
}

// `image` with a little more noise, of the size that it has at each brightness, its signs in a pattern of 8x8 pixels.
inline std::vector<float> probe(const std::vector<float>& image, int height, int width, const NoiseLevel& level) {
    const unsigned signs[] = {0x18, 0x71, 0x17, 0xCE, 0xB5, 0x24, 0x12, 0xB9};
    const int down[] = {0, 2, 4}, right[] = {0, 1, 7};  // by so much the pattern is moved for red, green and blue
    const auto brightness = looks(image, image, height, width).first;
    std::vector<float> probed(image);
    if (!level.known) return probed;
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const std::size_t pixel = static_cast<std::size_t>(y) * width + x;
            for (int channel = 0; channel < 3; ++channel) {
                const unsigned row = signs[(y + 8 - down[channel]) % 8];
                const bool more = row >> (7 - (x + 8 - right[channel]) % 8) & 1;
                const double noise = more ? level.at(brightness[pixel]) : -level.at(brightness[pixel]);
                float& value = probed[pixel * 3 + channel];
                value = static_cast<float>(std::min(1.0, std::max(0.0, value + noise)));
            }
        }
    }
    return probed;
}

// `output` with the share of its update, in each window, that leaves the least error by what `answer`, the output for
// `probed`, says (Stein's unbiased risk estimate); both are held before. Where the level is not known, nothing changes.
inline void weigh(const std::vector<float>& image, std::vector<float>& output, const std::vector<float>& probed,
                  const std::vector<float>& answer, int height, int width, const NoiseLevel& level) {
    if (!level.known) return;
    const std::size_t pixels = static_cast<std::size_t>(height) * width;
    std::vector<double> given(pixels), square(pixels);
    for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
        for (std::size_t at = pixel * 3; at < pixel * 3 + 3; ++at) {
            const double update = static_cast<double>(output[at]) - image[at];
            const double added = static_cast<double>(probed[at]) - image[at];
            given[pixel] -= added * (static_cast<double>(answer[at]) - probed[at] - update) / 3;
            square[pixel] += update * update / 3;
        }
    }
    given = windows(given, height, width);
    square = windows(square, height, width);
    for (std::size_t at = 0; at < output.size(); ++at) {
        const double share = level.weight * given[at / 3] / std::max(square[at / 3], 1e-12);
        const double update = static_cast<double>(output[at]) - image[at];
        output[at] = static_cast<float>(image[at] + update * std::min(1.0, std::max(0.0, share)));
    }
}

}  // namespace lpienas
