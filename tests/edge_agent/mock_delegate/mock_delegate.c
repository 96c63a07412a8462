/* A delegate for tests: what libedgetpu is to TFLite, without a chip.

   It claims the custom operator "edgetpu-custom-op" and answers as `tests/edge_agent/tiny_networks.py` does: softmax
   over GAIN times the mean of each colour. What else it may do is chosen when it is compiled, -DBEHAVIOUR=...

   The structures are those that a delegate shares with LiteRT 2.3 (tflite/core/c/common.h), field by field; what a
   function here does not call is a `void *`. TfLiteRegistration travels by value: were its size another, LiteRT would
   read what is not there. */

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWERS 0         /* until it sees a picture that is all white: then it is unplugged */
#define NO_DEVICE 1       /* says that there is none */
#define REFUSES 2         /* does not take the graph */
#define CLAIMS_NOTHING 3  /* takes no operator: a delegate for something else */
#define DIES_LOADING 4
#define DIES_RUNNING 5
#define HANGS 6
#define LIES 7            /* answers the opposite */
#define NO_DELEGATE 8     /* a library like any other */
#define AWAY 9            /* has no device for the process whose number is in MOCK_DELEGATE_AWAY */

#ifndef BEHAVIOUR
#define BEHAVIOUR ANSWERS
#endif

#define GAIN 0.05f
#define OK 0
#define ERROR 1
#define ALLOW_DYNAMIC_TENSORS 1 /* without it LiteRT prepares every operator first, and knows not the custom one */

typedef struct { int size; int data[]; } IntArray;

typedef struct {
  int type;
  void *data;
  IntArray *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  void *delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const IntArray *dims_signature;
} Tensor;

typedef struct {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data;
  const void *custom_initial_data;
  int custom_initial_data_size;
  void *delegate;
  bool might_have_side_effect;
} Node;

typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  void *profiling_string;
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *registration_external;
  void *async_kernel;
  uint64_t inplace_operator;
} Registration;

struct Context { /* its beginning */
  size_t tensors_size;
  int (*get_execution_plan)(Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  void *resize_tensor;
  void (*report_error)(Context *, const char *, ...);
  void *add_tensors;
  int (*get_node_and_registration)(Context *, int, Node **, Registration **);
  int (*replace_nodes)(Context *, Registration, const IntArray *, Delegate *);
};

struct Delegate {
  void *data;
  int (*prepare)(Context *, Delegate *);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void *opaque_builder;
};

static void *kernel_init(Context *context, const char *buffer, size_t length) {
  (void)context, (void)buffer, (void)length;
  return NULL;
}

static void kernel_free(Context *context, void *data) { (void)context, (void)data; }

static int kernel_prepare(Context *context, Node *node) {
  (void)context, (void)node;
  return OK;
}

static int kernel_invoke(Context *context, Node *node) {
  const Tensor *in = &context->tensors[node->inputs->data[0]];
  Tensor *out = &context->tensors[node->outputs->data[0]];
  const uint8_t *pixels = in->data;
  uint8_t *answers = out->data;
  const int classes = out->dims->data[out->dims->size - 1];
  const size_t count = in->bytes / 3;
  double sums[3] = {0, 0, 0}, scores[3], total = 0;

  if (BEHAVIOUR == DIES_RUNNING) abort();
  while (BEHAVIOUR == HANGS) pause();
  for (size_t at = 0; at < in->bytes; at++) sums[at % 3] += pixels[at];
  if (sums[0] + sums[1] + sums[2] == 255.0 * (double)in->bytes) {
    context->report_error(context, "the device is gone");
    return ERROR;
  }
  for (int i = 0; i < classes; i++) total += scores[i] = exp(GAIN * sums[i] / (double)count);
  for (int i = 0; i < classes; i++) {
    const double byte = floor(256 * scores[i] / total + 0.5);
    answers[i] = (uint8_t)(byte > 255 ? 255 : byte);
    if (BEHAVIOUR == LIES) answers[i] = 255 - answers[i];
  }
  return OK;
}

static int delegate_prepare(Context *context, Delegate *delegate) {
  const Registration kernel = {.init = kernel_init, .free = kernel_free, .prepare = kernel_prepare,
                               .invoke = kernel_invoke, .custom_name = "mock delegate", .version = 1};
  IntArray *plan, *ours;
  int status;

  if (BEHAVIOUR == DIES_LOADING) abort();
  if (BEHAVIOUR == REFUSES) return ERROR;
  if (context->get_execution_plan(context, &plan) != OK) return ERROR;
  ours = calloc(1, sizeof(IntArray) + (size_t)plan->size * sizeof(int));
  for (int at = 0; at < plan->size; at++) {
    Node *node;
    Registration *known;
    if (context->get_node_and_registration(context, plan->data[at], &node, &known) != OK) break;
    if (BEHAVIOUR != CLAIMS_NOTHING && known->custom_name && !strcmp(known->custom_name, "edgetpu-custom-op"))
      ours->data[ours->size++] = plan->data[at];
  }
  status = context->replace_nodes(context, kernel, ours, delegate);
  free(ours);
  return status;
}

#if BEHAVIOUR != NO_DELEGATE
Delegate *tflite_plugin_create_delegate(const char *const *keys, const char *const *values, size_t count,
                                        void (*report_error)(const char *)) {
  static Delegate delegate;
  (void)keys, (void)values, (void)count;
  if (BEHAVIOUR == NO_DEVICE || (BEHAVIOUR == AWAY && atoi(getenv("MOCK_DELEGATE_AWAY")) == getpid())) {
    report_error("no device found");
    return NULL;
  }
  delegate = (Delegate){.prepare = delegate_prepare, .flags = ALLOW_DYNAMIC_TENSORS};
  return &delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { (void)delegate; }
#endif
