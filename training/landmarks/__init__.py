"""The landmark network of the evaluation (`streamdeblur.evaluation.metrics.heatmap_landmarks`): how it is trained.

`faces` says on which faces, `annotation` finds their landmarks with a teacher, `augmentation` makes views of them. `network` is
the network, `training` trains it, and `export` writes the ONNX file; these three import torch.
"""
