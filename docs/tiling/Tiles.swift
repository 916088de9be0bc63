// Tiles: a picture of any size through a file of one size, cut by the rule that the file keeps under `lpienas.tiles`.
// What is kept of each tile has seen all that it needs, so there are no seams.

/// What tiles are cut by, in pixels.
struct Rule {
    let radius: Int  // how far a block of stride x stride output pixels sees beyond itself
    let halo: Int  // what of a tile is thrown away on every side
    let stride: Int  // tiles begin and end at multiples of it
}

struct Size {
    let height: Int
    let width: Int
}

/// Along one axis: pixels of a tile before those that are kept of it, and where these lie in the picture.
struct Spans {
    let before: Int
    let kept: [Range<Int>]
}

func spans(_ length: Int, _ tile: Int, _ rule: Rule) -> Spans {
    if tile <= 2 * rule.halo {
        precondition(length <= tile, "a tile of \(tile) pixels cannot hold twice the halo")
        let padded = (length + rule.stride - 1) / rule.stride * rule.stride
        return Spans(before: (tile - padded) / 2 / rule.stride * rule.stride, kept: [0..<length])
    }
    let kept = tile - 2 * rule.halo
    let firsts = stride(from: 0, to: length, by: kept)
    return Spans(before: rule.halo, kept: firsts.map { $0..<min($0 + kept, length) })
}

/// Which of `side` pixels stands at place `at`: outside is their reflection, back and forth, the edge not repeated.
func reflected(_ at: Int, _ side: Int) -> Int {
    if side == 1 { return 0 }
    let period = 2 * side - 2
    let place = (at % period + period) % period
    return min(place, period - place)
}

/// `image` enhanced: rows of pixels of three floats in [0, 1], red, green, blue, as `network` takes and gives them for
/// a tile. A file whose layout is NCHW (Core ML, ExecuTorch) wants all of red first: let `network` turn the tile, and
/// its answer back. The result may lie a little outside [0, 1]: clip it.
func enhance(
    _ image: [Float], size: Size, tile: Size, rule: Rule, network: ([Float]) throws -> [Float]
) rethrows -> [Float] {
    let rows = spans(size.height, tile.height, rule)
    let columns = spans(size.width, tile.width, rule)
    var output = [Float](repeating: 0, count: image.count)
    var given = [Float](repeating: 0, count: tile.height * tile.width * 3)
    for down in rows.kept {
        for across in columns.kept {
            for y in 0..<tile.height {
                let row = reflected(down.lowerBound - rows.before + y, size.height)
                for x in 0..<tile.width {
                    let column = reflected(across.lowerBound - columns.before + x, size.width)
                    for colour in 0..<3 {
                        given[(y * tile.width + x) * 3 + colour] = image[(row * size.width + column) * 3 + colour]
                    }
                }
            }
            let made = try network(given)
            for y in down {
                let from = ((y - down.lowerBound + rows.before) * tile.width + columns.before) * 3
                let to = (y * size.width + across.lowerBound) * 3
                for place in 0..<(across.count * 3) {
                    output[to + place] = made[from + place]
                }
            }
        }
    }
    return output
}
