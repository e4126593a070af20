// The arguments of the kernels: a frame and its faces. arguments.py has the same structures as NumPy types.

#pragma once

typedef unsigned char uint8;
typedef unsigned short uint16;
typedef unsigned long long address;

// One of Y, U, V (or R, G, B): sample (x, y) is line y's [offset + x * stride], its code value that >> shift.
struct Component {
    address samples;  // of the first line that is here
    int first_line;   // number of that line in the frame
    int pitch;        // samples from one line to the next
    int offset, stride, width, height, shift;
};

// Cell i begins at origin + i * step of the other sampling grid. (Two products in double precision for each thread cost little,
// and samples of 16 bits need them.)
struct Grid {
    double origin_x, step_x, origin_y, step_y;
};

// Samples [begin, end) of a component lie under the window.
struct Extent {
    int begin_x, end_x, begin_y, end_y;
};

struct Face {
    Grid crop[3];   // crop pixels in samples
    Grid paste[3];  // samples in crop pixels
    Extent extents[3];
    float strength;
    int factor;  // crop pixels along each side of a sample that is measured
};

// Samples of one component that lie under any window.
struct Region {
    int begin_x, begin_y, width, height;
};

struct Frame {
    Component components[3];
    Region regions[3];
    float to_rgb[3][4];
    float from_rgb[3][3];
    float feather;
    int maximum;  // largest code value
    int pasted;   // components that are written: 1 for gray, else 3
    int faces;
    int turn;  // quarter turns, counterclockwise, after which the frame is upright; crops are
};

// What is measured of a face on the way to its numbers: its samples, sums over columns of them, and blocks of 8 x 8 of them.
struct Measured {
    double sums[2][160];         // of the samples and their squares
    double variation[2][2][160]; // along each line and column: how much there is, and how much of it a box filter removes
    float samples[160 * 160];    // green, as code values; the first line, then the next one, without gaps
    float differences[40][160];  // squares, then fourth powers, of the differences over 5 lags along 4 directions
    float energies[2][400];      // noise and edges
    float contrast[400];
    float steepness[2][400];     // along columns and lines
    int rank[400];               // by contrast, the largest first
};
