#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds all fuzz targets for ClusterFuzzLite and OSS-Fuzz: they say how with $CC, $CXX, $CFLAGS and
# $LIB_FUZZING_ENGINE, and take from $OUT the programs, TARGET_seed_corpus.zip and TARGET.dict.
# Their machines have only the C library, so our dependencies are built along.
set -eu

cd "$SRC/tracewire"
cmake -S . -B "$WORK/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" \
    -DTW_FUZZ=ON -DTW_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" -DTW_TESTS=OFF \
    -DTW_WERROR=OFF -DTW_BUILD_DEPENDENCIES=ON -DTW_FUZZ_LIBPROTOBUF=OFF

# The library that this one compares with is not there to run it.
mapfile -t targets < <(scripts/fuzz --list | grep -vE '^diff_(libprotobuf|textformat)$')
ninja -C "$WORK/build" "${targets[@]/#/fuzz_}"
for target in "${targets[@]}"; do
    cp "$WORK/build/bin/fuzz_$target" "$OUT/"
    (cd "corpus/$target" && python3 -m zipfile -c "$OUT/fuzz_${target}_seed_corpus.zip" ./*)
    [ ! -e "fuzz/dict/$target.dict" ] || cp "fuzz/dict/$target.dict" "$OUT/fuzz_$target.dict"
done
