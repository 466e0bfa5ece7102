#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sdx/device/device.h"
#include "sdx/embedding/embedding_sizes.h"
#include "sdx/embedding/embedding_table.h"
#include "sdx/generation/preview.h"
#include "sdx/generation/settings.h"
#include "sdx/model/bundle.h"
#include "sdx/model/text_encoders.h"
#include "sdx/model/unet.h"
#include "sdx/util/error.h"

namespace sdx {

/// An image whose values are not finite: NaN or infinite, which would be drawn black. The message
/// says what to lower.
class NotFiniteError : public DataError {
 public:
  using DataError::DataError;
};

/// Where in a batch a picture was made: a part of what decides its last bits.
struct BatchPlace {
  int size = 1;
  int position = 0;
};

/// What was done to the faces of a picture, see FaceSettings.
struct RefinedFaces {
  std::string detector;  ///< that looked for them: "YuNet"; empty: nobody did
  int count = 0;         ///< of those that were made anew
};

/// Everything besides its request that decides a picture's pixels.
struct GenerationInfo {
  BatchPlace place;
  c10::ScalarType dtype = c10::ScalarType::Float;  ///< in which the networks computed
  int piece_px = 0;  ///< side of the pieces that the VAE decoded for want of memory; 0: whole
  int upscale = 1;   ///< how many times larger ImageSettings::upscale made it
  RefinedFaces faces = {};
};

struct GeneratedImage {
  Image image;
  GenerationInfo generation_info;
  at::Tensor latents;  ///< [1,C,h,w] float32 CPU, the final ones, before the VAE
};

/// Called after each step of the sampler with the steps done and to do over all batches; may throw
/// to stop.
using StepObserver = std::function<void(int done, int total)>;

/// Called with each picture as soon as it is decoded, in the order of the requests, never by two
/// threads at once. Where there is more than one thread it is another one than the caller's, which
/// denoises the next batch meanwhile; but for pictures whose faces are refined, of which the
/// caller's does all.
using ImageConsumer = std::function<void(std::size_t request, const GeneratedImage& image)>;

/// How much is done at once; changes speed and memory only.
struct BatchOptions {
  int size = 0;  ///< pictures denoised at once; 0: as many as keep the processor busy, at most 8,
                 ///< if the memory allows
  /// To make a picture again, to the last bit: as if it stood in such a batch.
  std::optional<BatchPlace> replay;
};

/// Decides batch by batch which requests come next, for processes that share the requests.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// The first request of the next batch; nothing: no work is left. Batches are cut as if one
  /// process made all requests, so that a picture is the same whichever process makes it. May wait.
  virtual std::optional<std::size_t> next() = 0;

  /// Called when the batch that begins at `first` has been cut and its work begins.
  virtual void on_batch(std::size_t first, std::size_t count) = 0;
};

/// Prompt and seed → picture. Loads text encoders, UNet and VAE decoder once.
class Generator {
 public:
  /// @throws as Bundle::checked_file.
  Generator(const Bundle& bundle, const ComputeTarget& target);

  /// With parts that are loaded already and outlive the generator: training looks at its own model.
  Generator(const Bundle& bundle, const ComputeTarget& target, const Tokenizer& tokenizer,
            const TextEncoders& text_encoders, const UNet& unet);
  ~Generator();

  /// Checks everything that can be checked before the work: sizes, steps, every placeholder,
  /// whether each LoRA was found and fits the model, and for pictures of more than 16 times the
  /// model's native area the memory.
  /// @throws UsageError, DataError; TryAgainError for a picture that the free memory cannot hold.
  /// @param embeddings a table, or names of some that are still to be made
  void check(const std::vector<ImageRequest>& requests, const EmbeddingSizes& embeddings) const;

  /// Bytes that denoising one picture takes, or one of its faces where they are refined. An
  /// evaluation at the model's native size is measured and scaled with the area; attention may take
  /// more.
  double estimate_bytes(const ImageSettings& settings) const;

  /// How many pictures of these settings keep the processor busy at once, whatever memory is free.
  /// Callers that need the same bits another day use it. On a GPU, as many as half of its memory
  /// holds.
  int steady_batch_size(const ImageSettings& settings) const;

  /// Has previews shown by all calls of generate() that follow. They are made between the steps, in
  /// the thread that denoises. No preview is made of what is computed again in float32.
  /// @throws as TinyAutoencoder, for the setting `preview-vae`.
  void show_previews(const PreviewOptions& options, PreviewConsumer consume);

  /// Makes the pictures, batch after batch; neighbours with the same settings share a batch. Each
  /// distinct text is encoded once. Pictures with other LoRAs are in other batches, between which
  /// the model is loaded anew with theirs: there is one variant of it at a time. The same requests,
  /// batch size and machine give the same pixels; a picture made in another batch differs by
  /// rounding only.
  ///
  /// An image whose values are not finite is never given on. In half precision it is computed again
  /// in float32, of which its GenerationInfo then tells; loading that model takes its memory.
  /// Images before it have been given on by the time of the error.
  /// @param initial_latents [N,C,h,w] float32 of unit variance instead of the seeds' noise, one for
  ///        each request.
  /// @throws NotFiniteError if float32 doesn't help; as check(); what `consume` and `observe`
  /// throw.
  void generate(const std::vector<ImageRequest>& requests, const EmbeddingTable& embeddings,
                const BatchOptions& batches, const ImageConsumer& consume,
                const StepObserver& observe = {},
                const std::optional<at::Tensor>& initial_latents = std::nullopt) const;

  /// Makes those batches that the source names. `observe` is told of the steps of all requests, of
  /// which these batches may be few.
  void generate(const std::vector<ImageRequest>& requests, const EmbeddingTable& embeddings,
                const BatchOptions& batches, BatchSource& source, const ImageConsumer& consume,
                const StepObserver& observe = {}) const;

 private:
  void make_batches(const std::vector<ImageRequest>& requests, const EmbeddingTable& embeddings,
                    const BatchOptions& batches, BatchSource& source, const ImageConsumer& consume,
                    const StepObserver& observe,
                    const std::optional<at::Tensor>& initial_latents) const;

  /// @param what    for messages: "Picture 3"
  /// @param kept    of the picture's size, black where it may not change; null: nowhere
  /// @param observe is told which share of the work is done
  void refine_faces(GeneratedImage& image, const ImageRequest& request,
                    const EmbeddingTable& embeddings, const std::string& what, const Image* kept,
                    const std::function<void(double share)>& observe) const;

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sdx
