#pragma once

#include "sdx/device/device.h"
#include "sdx/generation/generator.h"
#include "sdx/model/bundle.h"

namespace sdx {

/// Makes some of the pictures of another process of ours, which asked for this one (see ImageShare
/// there). It says the task in the first line of stdin, and in each further one where the next
/// batch begins: {"first": 8}. Both are asked for by {"wants": true}. Told to it, one object a line
/// on stdout, of which each has one of these keys:
///
///     ready     all was well with what was asked for; precision
///     wants     a line
///     batch     how many pictures the batch has; first
///     done      steps that were done here, of those of all pictures
///     preview   of the running pictures, as to_json(Preview)
///     picture   its number, from 0; as to_json(GeneratedImage)
///
/// @throws Error with 128 + signal if it was asked to stop; as Generator::generate().
void make_part_of_images(const Bundle& bundle, const ComputeTarget& target,
                         const BatchOptions& batches, const PreviewOptions& previews);

}  // namespace sdx
