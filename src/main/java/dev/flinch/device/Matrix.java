package dev.flinch.device;

/**
 * A view of device memory as one row-major matrix a replica: element (r, i, j) stands at {@code
 * offset + r · replicaStride + i · stride + j}.
 *
 * @param data the memory
 * @param offset the first element
 * @param rows rows of each matrix
 * @param columns columns of each matrix
 * @param stride elements from one row to the next, at least {@code columns}
 * @param padded whether the elements between a row's columns and the next row belong to nobody, and
 *     reach to a multiple of {@link #PADDING}: an operation may read and write them at will, so
 *     that it needs no loop for the rest of a row
 * @param replicas how many matrices
 * @param replicaStride elements from one matrix to the next
 */
public record Matrix(
    DeviceArray data,
    long offset,
    int rows,
    int columns,
    int stride,
    boolean padded,
    int replicas,
    long replicaStride) {
  /** Padded rows are a multiple of this many elements: a cache line of float32. */
  public static final int PADDING = 16;

  public Matrix {
    long end =
        offset
            + (replicas - 1) * replicaStride
            + (rows - 1L) * stride
            + (padded ? stride : columns);
    if (offset < 0
        || rows < 0
        || columns < 0
        || stride < (padded ? paddedColumns(columns) : columns)
        || replicas < 1
        || (rows > 0 && end > data.length())) {
      throw new IllegalArgumentException(
          "%d matrices of %d × %d at %d (stride %d, replica stride %d) in an array of %d elements"
              .formatted(replicas, rows, columns, offset, stride, replicaStride, data.length()));
    }
  }

  /** One dense matrix. */
  public static Matrix of(DeviceArray data, long offset, int rows, int columns) {
    return new Matrix(data, offset, rows, columns, columns, false, 1, 0);
  }

  /** One matrix of padded rows, from the array's start. */
  public static Matrix padded(DeviceArray data, int rows, int columns) {
    return padded(data, 1, rows, columns);
  }

  /** Matrices of padded rows one behind the other, one a replica, from the array's start. */
  public static Matrix padded(DeviceArray data, int replicas, int rows, int columns) {
    int stride = paddedColumns(columns);
    return new Matrix(data, 0, rows, columns, stride, true, replicas, (long) rows * stride);
  }

  /** Elements of a padded row. */
  public static int paddedColumns(int columns) {
    return (columns + PADDING - 1) / PADDING * PADDING;
  }

  /** Dense matrices one behind the other, one a replica. */
  public static Matrix stacked(DeviceArray data, long offset, int replicas, int rows, int columns) {
    return new Matrix(data, offset, rows, columns, columns, false, replicas, (long) rows * columns);
  }

  /** Rows {@code from} to {@code from + count − 1} of every replica. */
  public Matrix rows(int from, int count) {
    if (from < 0 || count < 0 || from + count > rows) {
      throw new IllegalArgumentException(
          "rows %d to %d of a matrix of %d rows".formatted(from, from + count - 1, rows));
    }
    return new Matrix(
        data,
        offset + (long) from * stride,
        count,
        columns,
        stride,
        padded,
        replicas,
        replicaStride);
  }

  /** Columns {@code from} to {@code from + count − 1} of every row. */
  public Matrix columns(int from, int count) {
    if (from < 0 || count < 0 || from + count > columns) {
      throw new IllegalArgumentException(
          "columns %d to %d of a matrix of %d".formatted(from, from + count - 1, columns));
    }
    return new Matrix(
        data,
        offset + from,
        rows,
        count,
        stride,
        padded && count == columns,
        replicas,
        replicaStride);
  }

  /** The matrices of replicas {@code from} to {@code from + count − 1}. */
  public Matrix replicas(int from, int count) {
    return new Matrix(
        data, offset + from * replicaStride, rows, columns, stride, padded, count, replicaStride);
  }

  /**
   * The same memory with every row cut into {@code parts} rows of equal length, such as maps into
   * their positions.
   */
  public Matrix split(int parts) {
    if (parts == 1) {
      return this;
    }
    if (!isDense() || columns % parts != 0) {
      throw new IllegalArgumentException(
          "rows of %d columns (stride %d) in %d parts".formatted(columns, stride, parts));
    }
    int part = columns / parts;
    return new Matrix(
        data,
        offset,
        Math.multiplyExact(rows, parts),
        part,
        part,
        part % PADDING == 0,
        replicas,
        replicaStride);
  }

  /** The way back from {@link #split}: every {@code parts} rows as one. */
  public Matrix join(int parts) {
    if (parts == 1) {
      return this;
    }
    if (!isDense() || rows % parts != 0) {
      throw new IllegalArgumentException(
          "%d rows of %d columns (stride %d), %d as one".formatted(rows, columns, stride, parts));
    }
    int whole = Math.multiplyExact(columns, parts);
    return new Matrix(
        data, offset, rows / parts, whole, whole, whole % PADDING == 0, replicas, replicaStride);
  }

  /** Whether each row follows the one before without a gap. */
  public boolean isDense() {
    return stride == columns;
  }

  /** Where the matrix of a replica starts. */
  public long start(int replica) {
    return offset + replica * replicaStride;
  }

  /** Where a row of a replica starts. */
  public long start(int replica, int row) {
    return offset + replica * replicaStride + (long) row * stride;
  }
}
