#include "base/descriptors.h"
#include "discount/program.h"

int main(int argc, char **argv) {
    descriptors_fill();
    return discount_main(argc, argv);
}
