// Tiles: a picture of any size through a file of one size, cut by the rule that the file keeps under `lpienas.tiles`.
// What is kept of each tile has seen all that it needs, so there are no seams.

package lpienas

/** What tiles are cut by, in pixels. */
data class Rule(
    val radius: Int, // how far a block of stride x stride output pixels sees beyond itself
    val halo: Int, // what of a tile is thrown away on every side
    val stride: Int, // tiles begin and end at multiples of it
)

data class Size(val height: Int, val width: Int)

/** Along one axis: pixels of a tile before those that are kept of it, and where these lie in the picture. */
class Spans(val before: Int, val kept: List<IntRange>)

fun spans(length: Int, tile: Int, rule: Rule): Spans {
    if (tile <= 2 * rule.halo) {
        require(length <= tile) { "a tile of $tile pixels cannot hold twice the halo" }
        val padded = (length + rule.stride - 1) / rule.stride * rule.stride
        return Spans((tile - padded) / 2 / rule.stride * rule.stride, listOf(0 until length))
    }
    val kept = tile - 2 * rule.halo
    return Spans(rule.halo, (0 until length step kept).map { it until minOf(it + kept, length) })
}

/** Which of `side` pixels stands at place `at`: outside is their reflection, back and forth, the edge not repeated. */
fun reflected(at: Int, side: Int): Int {
    if (side == 1) return 0
    val place = at.mod(2 * side - 2)
    return minOf(place, 2 * side - 2 - place)
}

/**
 * `image` enhanced: rows of pixels of three floats in [0, 1], red, green, blue, as `network` takes and gives them for a
 * tile. A file whose layout is NCHW wants all of red first: let `network` turn the tile, and its answer back. The
 * result may lie a little outside [0, 1]: clip it.
 */
fun enhance(image: FloatArray, size: Size, tile: Size, rule: Rule, network: (FloatArray) -> FloatArray): FloatArray {
    val rows = spans(size.height, tile.height, rule)
    val columns = spans(size.width, tile.width, rule)
    val output = FloatArray(image.size)
    val given = FloatArray(tile.height * tile.width * 3)
    for (down in rows.kept) for (across in columns.kept) {
        for (y in 0 until tile.height) {
            val row = reflected(down.first - rows.before + y, size.height)
            for (x in 0 until tile.width) {
                val column = reflected(across.first - columns.before + x, size.width)
                image.copyInto(given, (y * tile.width + x) * 3, (row * size.width + column) * 3, (row * size.width + column + 1) * 3)
            }
        }
        val made = network(given)
        for (y in down) {
            val from = ((y - down.first + rows.before) * tile.width + columns.before) * 3
            made.copyInto(output, (y * size.width + across.first) * 3, from, from + across.count() * 3)
        }
    }
    return output
}
